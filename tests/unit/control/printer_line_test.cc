#include "tests/unit/control/control_fixture.h"

namespace firebreak::guard {
namespace {

using APrintersLine = ControlServerTest;

TEST_F(APrintersLine, IsTheUplinksConnectionAfterItsAnswer) {
  Caller uplink(paths_.uplink_socket);
  EXPECT_EQ(answer_to(uplink, {{"do", "serve"}, {"printer", "p1"}, {"kind", "bambu"}}).at("code"),
            "refused");
  EXPECT_EQ(server_->clients(), 1U);
  EXPECT_EQ(answer_to(uplink, {{"do", "serve"}, {"printer", "p1"}, {"kind", "moonraker"}}).at("ok"),
            true);
  rounds();
  EXPECT_EQ(server_->clients(), 0U) << "it is no client of the control socket any more";
  EXPECT_EQ(service_.served, "p1");
  ASSERT_GE(service_.served_fd, 0);
  const std::string line = "{\"do\":\"stop\"}\n";
  EXPECT_EQ(write(service_.served_fd, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  EXPECT_EQ(uplink.hear().at(0).at("do"), "stop");
  close(service_.served_fd);
}

TEST_F(APrintersLine, IsNotServedThroughTheOperatorsSocket) {
  EXPECT_EQ(operator_answer({{"do", "serve"}, {"printer", "p1"}, {"kind", "moonraker"}}).at("code"),
            "not_allowed");
}

}  // namespace
}  // namespace firebreak::guard
