// The socket by which a guard reaches its simulated board (SOCK_SEQPACKET, one text a packet).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/simulator/board.h"

namespace firebreak::sim {

// Serves one board. Requests: `claim LINE in`, `claim LINE out 0|1`, `set INDEX 0|1`. Messages to
// the guard: `ok`, `error`, `edge INDEX LEVEL NS`, `celsius INDEX VALUE`, `amps INDEX
// VALUE`. One guard holds a line;
// when it goes, outputs keep their level. Not thread-safe.
class BoardServer {
 public:
  using Note = std::function<void(const char* fact, const std::string& line, int pid)>;

  BoardServer(Board* board, Note note);
  ~BoardServer();
  BoardServer(const BoardServer&) = delete;
  BoardServer& operator=(const BoardServer&) = delete;

  std::string listen(const std::string& path);
  int listener() const { return listener_; }
  // Takes a connection and returns its descriptor, or -1.
  int accept();
  bool owns(int fd) const { return peers_.count(fd) > 0; }
  // Reads all requests of one connection; false when it has ended.
  bool serve(int fd);
  // Tells the holder of a line; `ns` is when it changed.
  void send_edge(const std::string& line, bool level, std::int64_t ns);
  // A sensor's value: `celsius` or `amps`.
  void send_value(const std::string& line, const char* kind, double value);

 private:
  struct Peer {
    int pid;
  };

  std::string answer(int fd, const std::string& request);
  std::string claim(int fd, const std::vector<std::string>& words);
  void set(int fd, const std::vector<std::string>& words);
  void send(int fd, const std::string& text);
  int index(const std::string& line) const;

  Board* board_;
  Note note_;
  std::string path_;
  int listener_ = -1;
  std::map<int, Peer> peers_;
  std::map<std::string, int> holders_;  // line, descriptor
  std::vector<std::string> lines_;      // by index
};

}  // namespace firebreak::sim
