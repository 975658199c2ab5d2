#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "coordinator/cli/exit_status.h"
#include "coordinator/cli/stop_report.h"

namespace firebreak::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ExitStatusOfAStop, IsDoneOnlyWhenEveryPrinterIsProven) {
  EXPECT_EQ(status_of_stop({.proven = 3}), ExitStatus::done);
  EXPECT_EQ(status_of_stop({.proven = 2, .sent = 1}), ExitStatus::partly);
  EXPECT_EQ(status_of_stop({.proven = 2, .not_sent = 1}), ExitStatus::partly);
  EXPECT_EQ(status_of_stop({.proven = 2, .unknown_names = 1}), ExitStatus::partly);
  EXPECT_EQ(status_of_stop({.proven = 2, .unanswered = 1}), ExitStatus::partly);
}

TEST(ExitStatusOfAStop, IsUnknownWhenBytesWentOutButNoneIsProven) {
  EXPECT_EQ(status_of_stop({.sent = 2}), ExitStatus::outcome_unknown);
  EXPECT_EQ(status_of_stop({.sent = 1, .not_sent = 1}), ExitStatus::outcome_unknown);
  EXPECT_EQ(status_of_stop({.unanswered = 1}), ExitStatus::outcome_unknown);
}

TEST(ExitStatusOfAStop, IsFailedWhenNothingWasSentAndNotFoundWithoutAPrinter) {
  EXPECT_EQ(status_of_stop({.not_sent = 1}), ExitStatus::failed);
  EXPECT_EQ(status_of_stop({.not_sent = 1, .unknown_names = 1}), ExitStatus::failed);
  EXPECT_EQ(status_of_stop({.unknown_names = 1}), ExitStatus::not_found);
  EXPECT_EQ(status_of_stop({}), ExitStatus::not_found);
}

TEST(ExitStatus, FollowsTheGuardsCodes) {
  EXPECT_EQ(status_of_guard_code("refused"), ExitStatus::refused);
  EXPECT_EQ(status_of_guard_code("not_found"), ExitStatus::not_found);
  EXPECT_EQ(status_of_guard_code("not_allowed"), ExitStatus::not_allowed);
  EXPECT_EQ(status_of_guard_code("bad_request"), ExitStatus::usage);
  EXPECT_EQ(status_of_guard_code("busy"), ExitStatus::failed);
  EXPECT_EQ(status_of_guard_code("of a later version"), ExitStatus::failed);
}

TEST(ExitStatus, FollowsTheCoordinatorsAnswers) {
  EXPECT_EQ(status_of_http(202, "", true), ExitStatus::done);
  EXPECT_EQ(status_of_http(400, "bad_field", true), ExitStatus::usage);
  EXPECT_EQ(status_of_http(401, "unauthorized", false), ExitStatus::not_allowed);
  EXPECT_EQ(status_of_http(403, "forbidden", false), ExitStatus::not_allowed);
  EXPECT_EQ(status_of_http(404, "not_found", false), ExitStatus::not_found);
  EXPECT_EQ(status_of_http(409, "interlock", true), ExitStatus::refused);
  EXPECT_EQ(status_of_http(409, "stale_latch", true), ExitStatus::refused);
  EXPECT_EQ(status_of_http(409, "ambiguous", true), ExitStatus::usage);
  EXPECT_EQ(status_of_http(429, "rate_limited", false), ExitStatus::failed);
  EXPECT_EQ(status_of_http(503, "storage_failed", true), ExitStatus::failed);
  EXPECT_EQ(status_of_http(504, "", true), ExitStatus::outcome_unknown);
  EXPECT_EQ(status_of_http(504, "", false), ExitStatus::failed);
}

class StopReportTest : public testing::Test {
 protected:
  std::ostringstream out_;
  std::ostringstream err_;
  Console console_{out_, err_, {}};
  StopReport report_{console_, "firebreak status"};
};

TEST_F(StopReportTest, PrintsEachPrinterOnceAndOnlyWhenItsOutcomeIsFinal) {
  report_.expect("p1", "garage");
  report_.update({"p1", "garage", "sent", "stopping", "", false});
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(report_.waiting_for(), "p1 stopping");
  report_.update({"p1", "garage", "proven", "tripped", "", true});
  report_.update({"p1", "garage", "proven", "tripped", "", true});
  EXPECT_EQ(out_.str(), "p1\tgarage\tstopped and proven\t-\n");
  EXPECT_TRUE(report_.complete());
  EXPECT_EQ(report_.finish(true), ExitStatus::done);
  EXPECT_EQ(err_.str(), "");
}

TEST_F(StopReportTest, SaysPullThePowerForEverythingThatIsNotProven) {
  report_.update({"p1", "a", "proven", "tripped", "", true});
  report_.update({"p2", "a", "sent", "tripped", "", true});
  report_.update({"p3", "b", "not_sent", "", "agent b is away", true});
  EXPECT_EQ(report_.finish(true), ExitStatus::partly);
  EXPECT_THAT(out_.str(), HasSubstr("p2\ta\tsent, not proven — pull the power\t-\n"));
  EXPECT_THAT(out_.str(), HasSubstr("p3\tb\tnot sent — pull the power\tagent b is away\n"));
  EXPECT_THAT(err_.str(), HasSubstr("2 of 3 not proven"));
  EXPECT_THAT(err_.str(), HasSubstr("next: firebreak status"));
}

TEST_F(StopReportTest, NeverShowsAnUnansweredPrinterAsBetterThanNotSent) {
  report_.expect("p1", "");
  EXPECT_EQ(report_.finish(true), ExitStatus::outcome_unknown);
  EXPECT_THAT(out_.str(), HasSubstr("not sent — pull the power"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("stopped")));
}

TEST_F(StopReportTest, ARefusedStopIsNotSentAndFailed) {
  report_.expect("p1", "");
  EXPECT_EQ(report_.finish(false), ExitStatus::failed);
}

TEST_F(StopReportTest, TwoAgentsPrintersOfOneNameAreTwo) {
  report_.update({"p1", "a", "proven", "tripped", "", true});
  report_.update({"p1", "b", "sent", "tripped", "", true});
  EXPECT_EQ(report_.finish(true), ExitStatus::partly);
}

TEST_F(StopReportTest, IsOneObjectALineInJsonWithNothingElseOnEitherStream) {
  console_.set_json(true);
  report_.update({"p1", "", "sent", "tripped", "", true});
  report_.unknown_name("p9");
  EXPECT_EQ(report_.finish(true), ExitStatus::outcome_unknown);
  std::istringstream lines(out_.str());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line).at("outcome"), "sent");
  ASSERT_TRUE(std::getline(lines, line));
  const auto summary = nlohmann::json::parse(line);
  EXPECT_EQ(summary.at("exit_status"), 7);
  EXPECT_EQ(summary.at("unknown_names"), nlohmann::json::array({"p9"}));
  EXPECT_EQ(err_.str(), "");
}

}  // namespace
}  // namespace firebreak::cli
