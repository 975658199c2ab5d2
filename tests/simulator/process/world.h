// Everything that one simulator process holds, in one thread and one epoll loop.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/board.h"
#include "tests/simulator/kinds/kind.h"
#include "tests/simulator/printer.h"
#include "tests/simulator/process/board_server.h"
#include "tests/simulator/process/config.h"
#include "tests/simulator/process/journal.h"
#include "tests/simulator/process/port.h"

namespace firebreak::sim {

class World;
struct PrinterUnit;

// The world's epoll loop, as one printer's kind sees it.
class UnitReactor final : public Reactor {
 public:
  UnitReactor(World* world, PrinterUnit* unit) : world_(world), unit_(unit) {}
  void watch(int fd, std::uint32_t events, Ready ready) override;
  void change(int fd, std::uint32_t events) override;
  void unwatch(int fd) override;

 private:
  World* world_;
  PrinterUnit* unit_;
};

// One printer with its port, or the service of its kind, and what was seen there.
struct PrinterUnit {
  PrinterUnit(const PrinterSetup& from, World* world)
      : setup(from), printer(from.printer), port(from.port), reactor(world, this) {
    if (!setup.record.empty()) record.open(setup.record, std::ios::binary | std::ios::app);
  }
  PrinterSetup setup;
  Printer printer;
  Port port;
  std::ofstream record;
  HaltWatcher watcher;
  std::uint64_t halts_seen = 0;
  char last_byte = 0;  // of what was read
  std::uint64_t bytes_read = 0;
  bool reading = true;  // false: the fault not_reading
  bool dtr_low = false;
  int watch = -1;  // inotify, for openings by hosts
  int open_by_hosts = 0;
  std::uint64_t opens = 0;
  std::uint32_t interest = 0;
  UnitReactor reactor;
  std::unique_ptr<Kind> kind;  // none: a serial port
};

// The board's own thermometer may be broken or lie as well.
struct OwnSensor {
  bool dead = false;
  std::optional<double> forced;
};

struct BoardUnit {
  explicit BoardUnit(const BoardConfig& config, BoardServer::Note note)
      : board(config), server(&board, std::move(note)) {}
  Board board;
  BoardServer server;
  std::map<std::string, OwnSensor> sensors;
};

// Not thread-safe: run() and all that it calls are one thread.
class World {
 public:
  World() = default;
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Opens ports, sockets and journal. Returns an error text, or nothing.
  std::string open(const SimConfig& config);
  // Runs until stop() or SIGTERM or SIGINT.
  void run();
  void stop() { stopped_ = true; }

  PrinterUnit* printer(const std::string& name);
  BoardUnit* board(const std::string& name);  // the first one for ""
  const std::vector<std::unique_ptr<PrinterUnit>>& printers() const { return printers_; }
  const std::vector<std::unique_ptr<BoardUnit>>& boards() const { return boards_; }
  Journal& journal() { return journal_; }

  void plug(PrinterUnit& unit);
  void unplug(PrinterUnit& unit);
  // Reset button or DTR. What a halted board never read is lost: a UART had dropped it long ago,
  // and a native USB device enumerates anew.
  void reset(PrinterUnit& unit);
  // Brings everything up to the present and carries out what follows; to be called after any
  // change from outside.
  void tick();

 private:
  friend class UnitReactor;
  struct Watched {
    PrinterUnit* unit;
    Reactor::Ready ready;
  };

  std::string open_printer(const PrinterSetup& setup);
  bool serve_kind(int fd, std::uint32_t events);
  std::string open_control(const std::string& path);
  bool watch_fd(int fd, std::uint32_t events);
  void handle(int fd, std::uint32_t events);
  void read_port(PrinterUnit& unit);
  void read_openings();
  void read_signal();
  void serve_control(int fd);
  void tick_board(BoardUnit& unit);
  void tick_printer(PrinterUnit& unit, std::int64_t now);
  void record_facts(PrinterUnit& unit);
  void wire();
  void poll_dtr(std::int64_t now);
  void send_sensors(std::int64_t now);
  void update_interest(PrinterUnit& unit);
  std::int64_t nanoseconds_to_next() const;

  Journal journal_;
  std::map<int, Watched> watched_;
  std::vector<std::unique_ptr<PrinterUnit>> printers_;
  std::vector<std::unique_ptr<BoardUnit>> boards_;
  std::map<int, std::string> control_input_;
  std::string control_path_;
  int control_ = -1;
  int epoll_ = -1;
  int inotify_ = -1;
  int signal_ = -1;
  std::int64_t base_ns_ = 0;
  std::int64_t next_sensors_ns_ = 0;
  std::int64_t next_dtr_ns_ = 0;
  bool journal_pulses_ = false;
  bool stopped_ = false;
};

}  // namespace firebreak::sim
