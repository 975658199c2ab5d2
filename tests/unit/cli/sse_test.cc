#include "coordinator/cli/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace firebreak::cli {
namespace {

using testing::ElementsAre;

class SseTest : public testing::Test {
 protected:
  SseParser parser_{[this](const SseEvent& event) {
    seen_.push_back(event.id + "|" + event.type + "|" + event.data);
  }};
  std::vector<std::string> seen_;
};

TEST_F(SseTest, ReadsTypeIdAndData) {
  EXPECT_TRUE(parser_.feed("id: 7\nevent: printer\ndata: {\"a\":1}\n\n"));
  EXPECT_THAT(seen_, ElementsAre("7|printer|{\"a\":1}"));
  EXPECT_EQ(parser_.last_id(), "7");
}

TEST_F(SseTest, GivesTheSameEventsHoweverTheBytesArePiecedTogether) {
  const std::string text =
      "id: 1\r\ndata: a\r\ndata: b\r\n\r\n: heartbeat\nid: 2\rdata:c\r\rdata\n\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    seen_.clear();
    SseParser parser([this](const SseEvent& event) {
      seen_.push_back(event.id + "|" + event.type + "|" + event.data);
    });
    for (std::size_t at = 0; at < text.size(); at += size) parser.feed(text.substr(at, size));
    ASSERT_THAT(seen_, ElementsAre("1|message|a\nb", "2|message|c", "2|message|"))
        << "in pieces of " << size;
  }
}

TEST_F(SseTest, AnEventThatIsNotFinishedIsNeitherGivenNorResumedAfter) {
  parser_.feed("id: 1\ndata: a\n\nid: 2\ndata: b\n");
  EXPECT_THAT(seen_, ElementsAre("1|message|a"));
  EXPECT_EQ(parser_.last_id(), "1");
}

TEST_F(SseTest, HeartbeatsAndUnknownFieldsAreNoEvents) {
  EXPECT_TRUE(parser_.feed(": beat\n\nretry: 100\nfoo: bar\n\n"));
  EXPECT_TRUE(seen_.empty());
}

TEST_F(SseTest, AnEndlessLineBreaksTheStreamInsteadOfTheMemory) {
  const std::string chunk(64 * 1024, 'x');
  bool good = true;
  for (int i = 0; i < 40 && good; ++i) good = parser_.feed(chunk);
  EXPECT_FALSE(good);
  EXPECT_FALSE(parser_.feed("\n\ndata: a\n\n"));
  EXPECT_TRUE(seen_.empty());
}

}  // namespace
}  // namespace firebreak::cli
