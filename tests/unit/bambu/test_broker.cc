#include "tests/unit/bambu/test_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace firebreak::test {
namespace {

void run(const std::string& command) {
  if (std::system(("(" + command + ") >/dev/null 2>&1").c_str()) != 0) {
    throw std::runtime_error("failed: " + command);
  }
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

TestBroker::TestBroker(const std::string& common_name) : port_(free_port()) {
  std::string pattern = std::filesystem::temp_directory_path() / "firebreak-bambu-XXXXXX";
  folder_ = ::mkdtemp(pattern.data());
  const std::string in = folder_.string() + "/";
  run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
      "/CN=" +
      common_name + " -keyout " + in + "key.pem -out " + in + "cert.pem");
  run(std::string("mosquitto_passwd -c -b ") + in + "passwords bblp " + access_code);
  run("mosquitto_passwd -b " + in + "passwords printer inside");
  std::ofstream(folder_ / "broker.conf")
      << "user root\nper_listener_settings false\nallow_anonymous false\npassword_file " << in
      << "passwords\nlog_dest file " << in << "log\nlistener " << port_ << " 127.0.0.1\ncertfile "
      << in << "cert.pem\nkeyfile " << in << "key.pem\nlistener 0 " << in << "inner.sock\n";
  start();
}

TestBroker::~TestBroker() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TestBroker::start() {
  const std::string config = folder_ / "broker.conf";
  std::filesystem::remove(inner_socket());
  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execlp("mosquitto", "mosquitto", "-c", config.c_str(), nullptr);
    ::_exit(127);
  }
  // Its inner socket comes last; a broker that ended has none.
  for (int i = 0; !std::filesystem::exists(inner_socket()); ++i) {
    if (i > 3000 || ::waitpid(child_, nullptr, WNOHANG) != 0) {
      throw std::runtime_error("mosquitto did not start: " + log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void TestBroker::stop() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  child_ = -1;
}

std::string TestBroker::public_key_pin() const {
  const std::string in = folder_.string() + "/";
  run("openssl x509 -in " + in +
      "cert.pem -pubkey -noout | openssl pkey -pubin -outform der | "
      "openssl dgst -sha256 -binary | openssl base64 -A > " +
      in + "pin");
  return "sha256//" + read_file(folder_ / "pin");
}

std::string TestBroker::log() const { return read_file(folder_ / "log"); }

FakePrinter::FakePrinter(const TestBroker& broker) {
  mosquitto_lib_init();
  client_.reset(mosquitto_new(nullptr, true, this));
  mosquitto_username_pw_set(client_.get(), "printer", "inside");
  mosquitto_message_callback_set(
      client_.get(), [](mosquitto*, void* self, const mosquitto_message* message) {
        static_cast<FakePrinter*>(self)->requests.push_back(
            nlohmann::json::parse(std::string(static_cast<const char*>(message->payload),
                                              static_cast<std::size_t>(message->payloadlen))));
      });
  // The socket's file is there a moment before the broker listens on it.
  for (int i = 0;
       mosquitto_connect(client_.get(), broker.inner_socket().c_str(), 0, 60) != MOSQ_ERR_SUCCESS;
       ++i) {
    if (i > 3000) throw std::runtime_error("the printer does not reach its broker");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::string topic = std::string("device/") + serial_number + "/request";
  mosquitto_subscribe(client_.get(), nullptr, topic.c_str(), 1);
}

void FakePrinter::report(const std::string& payload, bool retain) {
  const std::string topic = std::string("device/") + serial_number + "/report";
  mosquitto_publish(client_.get(), nullptr, topic.c_str(), static_cast<int>(payload.size()),
                    payload.data(), 0, retain);
}

std::size_t FakePrinter::count(const std::string& command) const {
  std::size_t found = 0;
  for (const auto& request : requests) {
    for (const auto& [type, body] : request.items()) found += body.value("command", "") == command;
  }
  return found;
}

}  // namespace firebreak::test
