#include "agent/guard/process/guard_process.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "agent/guard/blackbox/black_box.h"
#include "agent/guard/commission/commissioner.h"
#include "agent/guard/control/server.h"
#include "agent/guard/links/printer_link.h"
#include "agent/guard/monitor/monitor_loop.h"
#include "agent/guard/process/link_notes.h"
#include "agent/guard/process/realtime.h"
#include "agent/guard/process/service.h"
#include "agent/guard/process/slot_writer.h"
#include "agent/guard/process/startup.h"
#include "agent/guard/stop/estop_loop.h"
#include "agent/guard/supervisor/supervisor.h"
#include "common/log/log.h"

namespace firebreak::guard {
namespace {

using machine::State;

/// Longest that an orderly end waits for stops that it started: TimeoutStopSec is 3 s.
constexpr std::chrono::milliseconds orderly_end_limit{2500};

int block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool asked_to_end(int signal_fd) {
  signalfd_siginfo info;
  while (read(signal_fd, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGHUP) {
      log::warning("the configuration is read at the start only: use `firebreak local restart`");
      continue;
    }
    return true;
  }
  return false;
}

BlackBoxOptions black_box_options(const GuardCore& core) {
  BlackBoxOptions options;
  options.directory = core.config.state_dir;
  options.boot_id = core.mapped->layout().boot_id;
  for (const auto& printer : core.printers) {
    BlackBoxPrinter entry{printer->config.name, {}};
    for (const auto& heater : printer->config.profile.heaters) entry.heaters.push_back(heater.name);
    options.printers.push_back(std::move(entry));
  }
  return options;
}

/// The running guard. Members end in reverse order: threads before what they use.
class GuardProcess {
 public:
  GuardProcess(GuardConfig config, ServiceManager manager)
      : config_(std::move(config)), manager_(std::move(manager)) {}

  Result<void> build();
  Result<void> start_threads();
  void supervise(int signal_fd);
  void end();

 private:
  void begin(const char* name, int priority, std::function<void()> body);
  Result<void> open_sockets();
  void record_start();
  [[nodiscard]] bool stops_finished() const;

  const GuardConfig config_;
  ServiceManager manager_;
  SystemClock clock_;
  StartReport report_;
  std::unique_ptr<GuardCore> core_;
  std::unique_ptr<BlackBox> box_;
  std::deque<LinkNotes> notes_;
  std::vector<std::unique_ptr<PrinterLink>> links_;
  std::unique_ptr<SlotWriter> slots_;
  std::unique_ptr<EstopLoop> estop_;
  std::unique_ptr<commission::Commissioner> commissioner_;
  std::unique_ptr<MonitorLoop> monitor_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<GuardServiceImpl> service_;
  std::unique_ptr<ControlServer> control_;
  EventQueue* own_events_ = nullptr;
  std::stop_source stop_links_;
  std::deque<Thread> threads_;
};

Result<void> GuardProcess::build() {
  std::error_code ignored;
  std::filesystem::create_directories(config_.run_dir, ignored);
  std::filesystem::create_directories(config_.state_dir, ignored);
  auto slots = Slots::open(config_.state_dir);
  if (!slots) return fail(slots.error());
  auto core = build_core(config_, manager_, *slots, clock_, report_);
  if (!core) return fail(core.error());
  core_ = std::move(*core);
  core_->keeps_descriptors = manager_.present();

  box_ = std::make_unique<BlackBox>(black_box_options(*core_), clock_);
  own_events_ = &box_->event_queue();
  for (auto& printer : core_->printers) {
    notes_.emplace_back(box_->event_queue(), clock_, static_cast<std::int16_t>(printer->index));
    links_.push_back(make_link(
        {printer->config, printer->shared, clock_, manager_, notes_.back(), config_.run_dir}));
    if (auto ready = links_.back()->prepare(); !ready) {
      // The host software has no port then; the printer is guarded all the same.
      log::error("{}", ready.error().message);
      core_->warnings.push_back(ready.error().message);
    }
  }
  slots_ = std::make_unique<SlotWriter>(*core_, std::move(*slots), box_->event_queue(), clock_,
                                        report_.boots);
  estop_ = std::make_unique<EstopLoop>(*core_, box_->event_queue(256), clock_);
  commissioner_ =
      std::make_unique<commission::Commissioner>(*core_, box_->event_queue(128), clock_);
  monitor_ =
      std::make_unique<MonitorLoop>(*core_, box_->event_queue(256), box_->sample_queue(), clock_);
  supervisor_ = std::make_unique<Supervisor>(*core_, manager_, *own_events_, clock_);
  // The decision about the start is the first thing that reaches a port or a relay.
  estop_->start();
  core_->mapped->publish(manager_);
  return {};
}

void GuardProcess::begin(const char* name, int fifo_priority, std::function<void()> body) {
  std::string warning;
  threads_.emplace_back(name, fifo_priority, std::move(body), warning);
  if (warning.empty()) return;
  for (const auto& known : core_->warnings) {
    if (known == warning) return;
  }
  log::warning("{}", warning);
  core_->warnings.push_back(std::move(warning));
}

Result<void> GuardProcess::start_threads() {
  for (auto& warning : lock_memory()) {
    log::warning("{}", warning);
    core_->warnings.push_back(std::move(warning));
  }
  begin("estop", priority::estop, [this] { estop_->run(); });
  for (std::size_t i = 0; i < links_.size(); ++i) {
    // Only serial links gate the pulses; the others parse with memory of their own.
    const bool serial = core_->printers[i]->config.link == LinkKind::serial;
    begin("link", serial ? priority::link : priority::ordinary,
          [link = links_[i].get(), this] { link->run(stop_links_.get_token()); });
  }
  begin("monitor", priority::monitor, [this] { monitor_->run(); });
  begin("commission", priority::ordinary, [this] { commissioner_->run(); });
  begin("slots", priority::ordinary, [this] { slots_->run(); });
  if (auto opened = open_sockets(); !opened) return opened;
  begin("store", priority::ordinary, [this] {
    std::int64_t told = 0;
    while (!core_->end.load(std::memory_order_acquire)) {
      box_->run_once();
      core_->liveness.store_ns.store(monotonic_ns(), std::memory_order_release);
      if (box_->last_seq() != told && control_ != nullptr) control_->wake();
      told = box_->last_seq();
      std::this_thread::sleep_for(BlackBox::run_period);
    }
    box_->flush();
  });
  if (control_ == nullptr) return {};
  begin("control", priority::ordinary, [this] {
    control_->run(core_->end, [this] {
      core_->liveness.control_ns.store(monotonic_ns(), std::memory_order_release);
    });
  });
  return {};
}

// Called before the threads begin that use what is made here.
Result<void> GuardProcess::open_sockets() {
  std::optional<GrantKey> key;
  if (!config_.grant_key_hex.empty()) {
    auto parsed = GrantKey::from_hex(config_.grant_key_hex);
    if (!parsed) return fail(parsed.error());
    key = *parsed;
  }
  service_ = std::make_unique<GuardServiceImpl>(*core_, *box_, *slots_, *commissioner_,
                                                box_->event_queue(128), clock_, key);
  const ControlRights rights = resolve_rights({config_.operator_group, config_.reset_group,
                                               config_.uplink_user, "/etc/group", "/etc/passwd"});
  for (const auto& warning : rights.warnings) core_->warnings.push_back(warning);
  auto control =
      ControlServer::create({config_.run_dir / "control.sock", config_.run_dir / "uplink.sock"},
                            rights, *service_, clock_);
  if (!control) {
    // Without its sockets the guard still protects; a person must know.
    log::error("{}", control.error().message);
    core_->warnings.push_back(control.error().message);
    return {};
  }
  control_ = std::move(*control);
  service_->serve_with([this](std::size_t printer, int fd) {
    if (!links_[printer]->serve(fd)) ::close(fd);
  });
  service_->attend_stops_with([this] { control_->attend_stops(); });
  return {};
}

void GuardProcess::record_start() {
  constexpr std::array names{"running", "resumed", "lapsed", "new boot", "bad slot", "too often"};
  auto event = make_record(clock_, EventKind::guard, Severity::info);
  event.format_text("guard {} started: {}", core_->config.agent,
                    names[static_cast<std::size_t>(report_.kind)]);
  event.add("gap_ms", report_.gap_ns / 1'000'000);
  event.add("boots", report_.boots);
  own_events_->push(event);
  if (!report_.slot_error.empty()) log::warning("{}", report_.slot_error);
  log::info("guard {} protects {} printer(s); start: {}", core_->config.agent,
            core_->printers.size(), names[static_cast<std::size_t>(report_.kind)]);
}

bool GuardProcess::stops_finished() const {
  for (const auto& printer : core_->printers) {
    machine::Memory memory;
    MonitorFacts facts;
    printer->seen.load(memory);
    printer->monitor.load(facts);
    const bool busy = memory.state == State::stopping || memory.state == State::cutting;
    const bool hot_on_guard = !machine::latched(memory) && facts.hot;
    if (busy || hot_on_guard) return false;
  }
  return true;
}

void GuardProcess::supervise(int signal_fd) {
  std::string warning;
  const sched_param parameters{priority::supervisor};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
  record_start();
  manager_.notify("READY=1\nSTATUS=protecting");
  std::int64_t stop_by_ns = 0;
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  while (!core_->end.load(std::memory_order_acquire)) {
    const std::int64_t now_ns = monotonic_ns();
    supervisor_->tick(now_ns);
    if (stop_by_ns == 0 && asked_to_end(signal_fd)) {
      manager_.notify("STOPPING=1");
      core_->stopping.store(true, std::memory_order_release);
      core_->wake_estop();
      stop_by_ns = now_ns + std::chrono::nanoseconds{orderly_end_limit}.count();
    } else if (stop_by_ns != 0 && (stops_finished() || now_ns > stop_by_ns)) {
      core_->end.store(true, std::memory_order_release);
    }
    next.tv_nsec += std::chrono::nanoseconds{Supervisor::pulse_period}.count();
    if (next.tv_nsec >= 1'000'000'000) {
      next.tv_nsec -= 1'000'000'000;
      ++next.tv_sec;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
  }
}

void GuardProcess::end() {
  core_->end.store(true, std::memory_order_release);
  core_->wake_estop();
  stop_links_.request_stop();
  for (auto& link : links_) link->wake();
  if (control_ != nullptr) control_->wake();
  threads_.clear();
}

}  // namespace

int run_guard(GuardConfig config) {
  const int signal_fd = block_signals();
  GuardProcess process(std::move(config), ServiceManager::from_environment());
  if (auto built = process.build(); !built) {
    log::error("{}", built.error().message);
    return 1;
  }
  if (auto started = process.start_threads(); !started) {
    log::error("{}", started.error().message);
    process.end();
    return 1;
  }
  process.supervise(signal_fd);
  process.end();
  return 0;
}

}  // namespace firebreak::guard
