#include "agent/uplink/errands.h"

#include <asio/post.hpp>
#include <nlohmann/json.hpp>
#include <utility>

namespace firebreak::uplink {

bool Errands::start(Work work, Done done) {
  if (busy_ || cancelled_) return false;
  if (thread_.joinable()) thread_.join();
  busy_ = true;
  thread_ = std::thread([this, work = std::move(work), done = std::move(done)]() mutable {
    Result<nlohmann::json> result = fail(ErrorCode::internal, "nothing came of it");
    try {
      result = work(cancelled_);
    } catch (const std::exception& e) {
      result = fail(ErrorCode::internal, std::string("a mistake of ours: ") + e.what());
    }
    asio::post(io_, [this, done = std::move(done), result = std::move(result)]() mutable {
      busy_ = false;
      if (!cancelled_) done(std::move(result));
    });
  });
  return true;
}

void Errands::stop() {
  cancelled_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace firebreak::uplink
