#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>

#include "coordinator/store/reader_pool.h"
#include "coordinator/store/store.h"
#include "coordinator/store/writer.h"

namespace firebreak::coordinator {

/// What a receipt may call durable.
enum class DurableMeans {
  /// Only what exists off this host. Nothing does yet, so receipts stay behind and agents keep
  /// their events.
  off_host,
  /// What this host's disk has. The owner's explicit choice for a coordinator on its own.
  stored,
};

/// Longest line of operations that wait for a full disk.
inline constexpr std::size_t deferred_operations_max = 10'000;

/// The store in one SQLite file: WAL, synchronous FULL, one writer, up to four readers.
class SqliteStore final : public Store, private AgentRegistry, private EventSink {
 public:
  struct Options {
    std::filesystem::path file;
    chain::Digest audit_key{};
    DurableMeans durable_means = DurableMeans::off_host;
    storage::OpenOptions open;  ///< For tests: vfs, bytes_max.
  };
  /// `clock` must outlive the store. Errors: corrupt, unavailable, refused (a newer program's
  /// file).
  static Result<std::unique_ptr<SqliteStore>> open(Options options, const Clock& clock);

  Result<std::vector<TokenRow>> tokens() override;
  Result<std::vector<AgentRow>> agents() override;
  Result<std::vector<PrinterRow>> printers() override;
  Result<std::vector<LogRow>> logs() override;
  Result<std::vector<EnrollmentRow>> enrollments() override;
  Result<std::vector<EventRow>> events(const EventQuery& query) override;
  Result<std::int64_t> last_event_id() override;
  Result<std::optional<OperationRow>> operation(const std::string& id) override;
  Result<std::vector<OperationRow>> waiting_operations() override;
  Result<std::vector<AuditRecord>> audit_records(std::uint64_t after, std::uint64_t limit) override;
  Result<AuditVerdict> verify_audit() override;

  Result<void> add_token(const TokenRow& token, const std::string& who) override;
  Result<TokenRow> revoke_token(const std::string& id, const std::string& who) override;
  Result<void> add_enrollment(const EnrollmentRow& row, const std::string& who) override;
  Result<std::int64_t> revoke_agent(const std::string& name, const std::string& who) override;
  void note_printers(const std::string& agent, std::vector<std::string> names) override;
  void note_agent(const std::string& agent, const std::string& software, OwnEvent event) override;
  void save_operation(OperationRow row, AuditDraft draft, Done done) override;
  void record(AuditDraft draft, OwnEvent event) override;

  AgentRegistry& registry() override { return *this; }
  EventSink& sink() override { return *this; }
  std::uint64_t epoch() const override { return writer_->epoch(); }
  std::string head() const override { return writer_->head(); }
  StoreHealth health() const override { return writer_->health(); }
  std::int64_t newest_event() const override { return writer_->newest_event(); }
  void on_events(std::function<void()> listener) override;

 private:
  SqliteStore(Options options, const Clock& clock);

  // AgentRegistry
  Result<identity::CertificateInfo> enroll(std::string_view agent,
                                           std::span<const std::uint8_t, 32> secret_hash,
                                           const Sign& sign) override;
  Result<Standing> standing(std::string_view agent,
                            const identity::Fingerprint& certificate) override;
  Result<void> add_certificate(std::string_view agent,
                               const identity::CertificateInfo& certificate) override;
  Result<void> certificate_used(std::string_view agent,
                                const identity::Fingerprint& certificate) override;
  // EventSink
  Result<std::vector<LogPosition>> positions(std::string_view agent) override;
  Result<Receipt> append_events(std::string_view agent, std::string_view log,
                                const nlohmann::json& events) override;
  std::string head() override { return writer_->head(); }
  std::uint64_t epoch() override { return writer_->epoch(); }

  struct Deferred {
    OperationRow row;
    AuditDraft draft;
  };
  void retry_deferred();
  std::uint64_t durable(std::uint64_t stored) const;

  const Options options_;
  const Clock& clock_;
  ReaderPool readers_;
  std::mutex deferred_mutex_;
  std::deque<Deferred> deferred_;   // guarded by deferred_mutex_
  bool retrying_ = false;           // guarded by deferred_mutex_
  std::unique_ptr<Writer> writer_;  // last: its thread uses the rest
};

}  // namespace firebreak::coordinator
