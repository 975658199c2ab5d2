#include "coordinator/hub/stop_book.h"

#include <algorithm>

namespace firebreak::coordinator {

bool StopBook::add(OpenStop stop) {
  Key key{stop.agent, stop.operation};
  if (open_.size() >= open_max && !open_.contains(key)) return false;
  open_.insert_or_assign(std::move(key), std::move(stop));
  return true;
}

void StopBook::sent(std::string_view operation, std::string_view agent, MonotonicTime now) {
  const auto found = open_.find({std::string(agent), std::string(operation)});
  if (found == open_.end()) return;
  found->second.sent_at = now;
  found->second.ever_sent = true;
}

bool StopBook::answered(std::string_view operation, std::string_view agent, bool final_answer) {
  const auto found = open_.find({std::string(agent), std::string(operation)});
  if (found == open_.end()) return false;
  found->second.answered = true;
  if (final_answer) open_.erase(found);
  return true;
}

std::vector<OpenStop> StopBook::of_agent(std::string_view agent) const {
  std::vector<OpenStop> out;
  for (auto at = open_.lower_bound({std::string(agent), {}});
       at != open_.end() && at->first.first == agent; ++at) {
    out.push_back(at->second);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const OpenStop& a, const OpenStop& b) { return a.expires < b.expires; });
  return out;
}

std::vector<OpenStop> StopBook::silent(MonotonicTime now, std::chrono::nanoseconds resend) const {
  std::vector<OpenStop> out;
  for (const auto& [key, stop] : open_) {
    if (stop.ever_sent && !stop.answered && now - stop.sent_at >= resend) out.push_back(stop);
  }
  return out;
}

std::vector<OpenStop> StopBook::take_agent(std::string_view agent) {
  auto out = of_agent(agent);
  for (const OpenStop& stop : out) open_.erase({stop.agent, stop.operation});
  return out;
}

std::vector<OpenStop> StopBook::take_expired(MonotonicTime now) {
  std::vector<OpenStop> out;
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.expires <= now) {
      out.push_back(std::move(at->second));
      at = open_.erase(at);
    } else {
      ++at;
    }
  }
  return out;
}

}  // namespace firebreak::coordinator
