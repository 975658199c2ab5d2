#include "tests/simulator/kinds/mqtt_broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace firebreak::sim {
namespace {

// Also where Debian puts the programs of an administrator.
constexpr char kPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A port that is free now.
int free_port(const std::string& host) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

// Names and codes go into a shell's script.
bool plain(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

// $1: name of the CA's files, $2: name of the certificate.
constexpr char kMakeCertificate[] = R"(
set -e
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
[ -f "$1.pem" ] || openssl req -x509 $key -days 3650 -subj "/CN=BBL CA" \
  -keyout "$1.key" -out "$1.pem"
openssl req -new $key -subj "/CN=$2" -keyout server.key -out server.csr
openssl x509 -req -in server.csr -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 3650 \
  -out server.pem
openssl x509 -in server.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' > fingerprint
)";

// $1: the password of bblp.
constexpr char kMakePasswords[] = R"(
set -e
rm -f passwords && touch passwords && chmod 600 passwords
mosquitto_passwd -b passwords bblp "$1"
mosquitto_passwd -b passwords printer printer
)";

}  // namespace

MqttBroker::~MqttBroker() {
  stop();
  std::error_code error;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
}

std::string MqttBroker::shell(const std::string& script) const {
  const std::string command = "export PATH=" + std::string(kPath) + "; cd '" + folder_ +
                              "' && {\n" + script + "\n} >log.txt 2>&1 </dev/null";
  if (std::system(command.c_str()) == 0) return {};
  std::string last = "no shell";
  std::ifstream log(folder_ + "/log.txt");
  for (std::string line; std::getline(log, line);) last = line;
  return "the broker cannot be prepared: " + last;
}

std::string MqttBroker::open(const std::string& listen, const Face& face) {
  const std::size_t colon = std::min(listen.rfind(':'), listen.size());
  host_ = listen.substr(0, colon);
  port_ = colon < listen.size() ? std::atoi(listen.c_str() + colon + 1) : 0;
  if (port_ == 0) port_ = free_port(host_);
  char name[] = "/tmp/firebreak-sim-mqtt-XXXXXX";
  if (port_ == 0 || ::mkdtemp(name) == nullptr) return listen + ": " + std::strerror(errno);
  folder_ = name;
  const std::string error = prepare(face, false);
  return error.empty() ? start() : error;
}

std::string MqttBroker::restart(const Face& face, bool strange_ca) {
  stop();
  const std::string error = prepare(face, strange_ca);
  return error.empty() ? start() : error;
}

std::string MqttBroker::prepare(const Face& face, bool strange_ca) {
  if (!plain(face.common_name) || !plain(face.password)) {
    return "`serial` and `access_code` must be letters and digits";
  }
  const std::string ca = strange_ca ? "strange" : "ca";
  std::string error = shell("set -- " + ca + " " + face.common_name + "\n" + kMakeCertificate);
  if (error.empty()) error = shell("set -- " + face.password + "\n" + kMakePasswords);
  if (!error.empty()) return error;
  std::ifstream(folder_ + "/fingerprint") >> fingerprint_;
  for (char& c : fingerprint_) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const passwd* user = ::getpwuid(::getuid());
  std::ofstream(folder_ + "/mosquitto.conf")
      << "user " << (user != nullptr ? user->pw_name : "nobody") << "\n"
      << "log_dest none\nallow_anonymous false\n"
      << "password_file " << folder_ << "/passwords\n"
      << "listener " << port_ << " " << host_ << "\n"
      << "certfile " << folder_ << "/server.pem\n"
      << "keyfile " << folder_ << "/server.key\n"
      << "listener 0 " << inner_socket() << "\n";
  return {};
}

std::string MqttBroker::start() {
  const std::string configuration = folder_ + "/mosquitto.conf";
  ::unlink(inner_socket().c_str());
  child_ = ::fork();
  if (child_ != 0) return child_ > 0 ? "" : std::string("fork: ") + std::strerror(errno);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setenv("PATH", kPath, 1);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);  // it warns of things that are meant
  for (const int fd : {0, 1, 2}) ::dup2(nowhere, fd);
  ::execlp("mosquitto", "mosquitto", "-c", configuration.c_str(), nullptr);
  ::_exit(127);
}

void MqttBroker::stop() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  child_ = -1;
}

}  // namespace firebreak::sim
