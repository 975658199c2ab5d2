#pragma once

#include <string>
#include <vector>

namespace firebreak::test {

/// One exchange of a recording in tests/data/corpus/*.http.
struct RecordedExchange {
  std::string title;  ///< Without its time.
  std::string method;
  std::string target;
  int status = 0;
  std::string body;  ///< Of the answer.
};

/// All exchanges of `name` ("moonraker/ready.http") in their order.
std::vector<RecordedExchange> recorded_http(const std::string& name);

}  // namespace firebreak::test
