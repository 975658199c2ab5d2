#include "coordinator/fleet/inquiries.h"

#include "common/base/escape.h"
#include "common/wire/messages.h"

namespace firebreak::coordinator {

using nlohmann::json;

Result<std::string> Inquiries::start(const std::string& agent, const std::string& verb,
                                     const json& arguments) {
  const std::string id = new_operation_id();
  {
    const std::lock_guard lock(mutex_);
    if (inquiries_.size() - answered_.size() >= open_max)
      return fail(ErrorCode::refused, "too many questions are open");
    Inquiry& inquiry = inquiries_[id];
    inquiry.agent = agent;
    inquiry.kind = verb;
    inquiry.since = clock_.now();
  }
  // Longest life: the agent's answer to a scan of a range takes most of a minute.
  link_.send_command(agent, id, verb, arguments.dump(), wire::ttl_max);
  return id;
}

bool Inquiries::on_update(const CommandUpdate& update) {
  const std::lock_guard lock(mutex_);
  const auto found = inquiries_.find(update.operation);
  if (found == inquiries_.end()) return false;
  Inquiry& inquiry = found->second;
  if (!update.final_answer || inquiry.state != "running" || inquiry.agent != update.agent)
    return true;
  inquiry.state = update.error.empty() && update.data ? "done"
                  : update.refused                    ? "refused"
                                                      : "failed";
  inquiry.error = escape_untrusted(update.error);
  if (inquiry.state == "failed" && inquiry.error.empty()) inquiry.error = "it answered nothing";
  inquiry.since = clock_.now();
  inquiry.answer = update.data;
  answered_.push_back(found->first);
  if (answered_.size() <= kept) return true;
  inquiries_.erase(answered_.front());
  answered_.pop_front();
  return true;
}

json Inquiries::view(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = inquiries_.find(id);
  if (found == inquiries_.end()) return {};
  const Inquiry& inquiry = found->second;
  const auto age = clock_.now() - inquiry.since;
  return {{"id", id},
          {"agent", inquiry.agent},
          {"kind", inquiry.kind},
          {"state", inquiry.state},
          {"error", inquiry.error.empty() ? json() : json(inquiry.error)},
          {"age_ms", std::chrono::duration_cast<std::chrono::milliseconds>(age).count()},
          {"answer", inquiry.answer ? *inquiry.answer : json()}};
}

}  // namespace firebreak::coordinator
