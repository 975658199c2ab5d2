// Moonraker and OctoPrint against recordings of the real ones: the same questions, the same
// statuses, and at least the same fields.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <sstream>

#include "tests/unit/simulator/sim_fixture.h"

namespace firebreak::sim::test {
namespace {

using nlohmann::json;

constexpr char kConfig[] = R"(
control: sim.sock
printers:
  - {name: m1, kind: moonraker, dialect: {hotend_max_celsius: 300}}
  - {name: o1, kind: octoprint, api_key: 0123456789ABCDEF0123456789ABCDEF,
     dialect: {boot_ms: 0, baud: 0}}
)";

struct Exchange {
  std::string title;
  std::string request;
  std::string response;
  std::string path() const {
    const std::size_t start = request.find(' ') + 1;
    return request.substr(start, request.find_first_of(" ?", start) - start);
  }
};

std::vector<Exchange> load(const std::string& name) {
  std::ifstream file(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/corpus/" + name);
  std::vector<Exchange> all;
  bool answer = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### t=")) {
      all.push_back({line, "", ""});
      answer = false;
    } else if (line.starts_with("###<")) {
      answer = true;
    } else if (!all.empty()) {
      (answer ? all.back().response : all.back().request) += line + "\n";
    }
  }
  return all;
}

// The head's lines end in CR LF on the wire; the file has plain ends.
std::string on_the_wire(const std::string& text) {
  const std::size_t blank = text.find("\n\n");
  std::string head;
  for (const char c : text.substr(0, blank))
    head += c == '\n' ? std::string("\r\n") : std::string(1, c);
  std::string body = blank == std::string::npos ? "" : text.substr(blank + 2);
  while (!body.empty() && body.back() == '\n') body.pop_back();
  return head + "\r\n\r\n" + body;
}

int status_of(const std::string& response) {
  return response.size() > 12 ? std::stoi(response.substr(9, 3)) : 0;
}

json body_of(const std::string& response) {
  const std::size_t carried = response.find("\r\n\r\n");
  const std::size_t plain = response.find("\n\n");
  if (carried == std::string::npos && plain == std::string::npos) return nullptr;
  const std::size_t start = carried != std::string::npos ? carried + 4 : plain + 2;
  return json::parse(response.substr(start), nullptr, false);
}

// Names of fields that the real one has and ours lacks, two levels deep.
std::string missing(const json& real, const json& ours, int depth = 2) {
  std::string names;
  if (!real.is_object() || depth == 0) return names;
  for (const auto& [name, value] : real.items()) {
    if (!ours.is_object() || !ours.contains(name)) {
      names += " " + name;
    } else {
      names += missing(value, ours[name], depth - 1);
    }
  }
  return names;
}

class SimHttpReplay : public SimFixture {
 protected:
  SimHttpReplay() : SimFixture(kConfig) {}

  std::string exchange(const std::string& printer, const std::string& request) {
    const std::string address = ask({{"do", "state"}, {"printer", printer}})["address"];
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    open_.push_back(fd);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    write(fd, request);
    return read_until(fd, "nothing like this").substr(std::strlen("end after: "));
  }
  void wait_for(const std::string& printer, const std::string& key, const std::string& value) {
    for (int i = 0; i < kPatienceMs / 5; ++i) {
      if (ask({{"do", "state"}, {"printer", printer}})[key] == value) return;
      ::poll(nullptr, 0, 5);
    }
    ADD_FAILURE() << printer << " never became " << value;
  }
  int replay(const std::string& printer, const std::string& name,
             const std::vector<std::string>& served) {
    int played = 0;
    for (const Exchange& one : load(name)) {
      if (std::find(served.begin(), served.end(), one.path()) == served.end()) continue;
      if (one.request.find("history=") != std::string::npos) continue;  // nobody asks for it
      ++played;
      const std::string response = exchange(printer, on_the_wire(one.request));
      EXPECT_EQ(status_of(response), status_of(one.response)) << one.title << "\n" << response;
      if (status_of(one.response) != 200) continue;
      const std::string lacking = missing(body_of(one.response), body_of(response));
      EXPECT_EQ(lacking, "") << one.title << "\n" << response;
    }
    return played;
  }
};

TEST_F(SimHttpReplay, MoonrakerAnswersAsRecorded) {
  wait_for("m1", "klippy_state", "ready");
  const int played = replay(
      "m1", "moonraker/ready.http",
      {"/server/info", "/printer/info", "/printer/objects/list", "/printer/objects/query",
       "/printer/query_endstops/status", "/access/info", "/no/such/path", "/printer/gcode/script"});
  EXPECT_GE(played, 15);
}

TEST_F(SimHttpReplay, OctoPrintAnswersAsRecorded) {
  wait_for("o1", "service_state", "Operational");
  const int played =
      replay("o1", "octoprint/identify.http",
             {"/api/version", "/api/server", "/api/connection", "/api/printer", "/api/job",
              "/api/no_such", "/api/printer/no_such", "/api/printer/command"});
  EXPECT_GE(played, 15);
}

}  // namespace
}  // namespace firebreak::sim::test
