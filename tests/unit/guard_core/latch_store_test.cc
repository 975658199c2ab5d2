#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/guard/latch/slots.h"
#include "tests/unit/guard_core/guard_fixture.h"

namespace firebreak::guard {
namespace {

class SlotsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("slots-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  SlotContent content(std::uint32_t generation) {
    SlotContent content;
    content.host_generation = generation;
    return content;
  }
  void damage(const char* file, std::size_t offset) {
    std::fstream stream(folder / file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(stream.get() ^ 0x40);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(byte);
  }

  std::filesystem::path folder;
};

TEST_F(SlotsTest, AFirstStartHasNoReadableSlot) {
  auto slots = Slots::open(folder);
  ASSERT_TRUE(slots);
  const auto read = slots->read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::corrupt);
}

TEST_F(SlotsTest, TheNewerSlotIsReadBackAfterReopening) {
  {
    auto slots = Slots::open(folder);
    for (std::uint32_t i = 1; i <= 5; ++i) {
      auto next = content(i);
      ASSERT_TRUE(slots->write(next));
    }
  }
  auto slots = Slots::open(folder);
  EXPECT_EQ(slots->read()->host_generation, 5u);
}

TEST_F(SlotsTest, EveryFlippedByteOfTheNewerSlotFallsBackToTheOlder) {
  auto slots = Slots::open(folder);
  auto older = content(1);
  auto newer = content(2);
  ASSERT_TRUE(slots->write(older));  // Counter 1: file latch.1.
  ASSERT_TRUE(slots->write(newer));  // Counter 2: file latch.0.
  for (std::size_t offset = 0; offset < 16 + sizeof(SlotContent); ++offset) {
    damage("latch.0", offset);
    ASSERT_EQ(slots->read()->host_generation, 1u) << offset;
    damage("latch.0", offset);
  }
  EXPECT_EQ(slots->read()->host_generation, 2u);
}

TEST_F(SlotsTest, TheFilesAreAllocatedWholeAtTheStart) {
  auto slots = Slots::open(folder);
  EXPECT_EQ(std::filesystem::file_size(folder / "latch.0"), Slots::file_bytes);
  EXPECT_EQ(std::filesystem::file_size(folder / "latch.1"), Slots::file_bytes);
}

TEST_F(SlotsTest, ASecondGuardIsRefusedTheFolderOfTheFirst) {
  {
    auto first = Slots::open(folder);
    ASSERT_TRUE(first);
    const auto second = Slots::open(folder);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("another guard"), std::string::npos);
  }
  EXPECT_TRUE(Slots::open(folder)) << "the lock ends with its holder";
}

TEST_F(SlotsTest, AFolderThatIsMissingCostsTheDiskCopyOnlyUntilItIsBack) {
  std::filesystem::remove_all(folder);
  auto slots = Slots::open(folder);
  ASSERT_TRUE(slots) << "protection never waits for a disk";
  auto next = content(1);
  EXPECT_FALSE(slots->write(next));
  EXPECT_FALSE(slots->read());
  std::filesystem::create_directories(folder);
  EXPECT_TRUE(slots->write(next));
  EXPECT_TRUE(slots->write(next));
  EXPECT_EQ(slots->read()->host_generation, 1u);
}

TEST(MappedMemory, IsFoundAgainByTheNextRunOfTheSameBoot) {
  FakeKeeper keeper;
  {
    auto first = *MappedState::open(keeper, "boot");
    EXPECT_TRUE(first->fresh());
    first->layout().last_pulse_ns.store(4711);
    first->publish(keeper);
  }
  auto second = *MappedState::open(keeper, "boot");
  EXPECT_FALSE(second->fresh());
  EXPECT_EQ(second->layout().last_pulse_ns.load(), 4711);
}

TEST(MappedMemory, OfAnotherBootIsNotTrusted) {
  FakeKeeper keeper;
  {
    auto first = *MappedState::open(keeper, "boot");
    first->publish(keeper);
  }
  EXPECT_TRUE((*MappedState::open(keeper, "another"))->fresh());
}

TEST(MappedMemory, ThatWasNeverPublishedIsNotTrusted) {
  FakeKeeper keeper;
  auto first = *MappedState::open(keeper, "boot");
  EXPECT_FALSE(keeper.take("latch").has_value());
}

TEST(ACommittedValue, WithAFlippedBitIsRefused) {
  Committed<machine::Memory> cell;
  machine::Memory memory;
  memory.generation = 7;
  cell.commit(memory);
  machine::Memory read;
  ASSERT_TRUE(cell.load(read));
  EXPECT_EQ(read.generation, 7u);
  auto* bytes = reinterpret_cast<unsigned char*>(&cell);
  bytes[sizeof(cell) - 3] ^= 1;  // The second copy, which is the valid one after one commit.
  EXPECT_FALSE(cell.load(read));
}

TEST(ACommittedValue, StaysOldUntilTheLastWordOfACommit) {
  // A kill between the writes of commit() leaves the idle copy half done and the word untouched.
  Committed<machine::Memory> cell;
  machine::Memory memory;
  memory.generation = 1;
  cell.commit(memory);
  memory.generation = 2;
  cell.commit(memory);
  auto* bytes = reinterpret_cast<unsigned char*>(&cell);
  const std::size_t copy_bytes = sizeof(machine::Memory);
  std::fill_n(bytes + sizeof(cell) - copy_bytes, copy_bytes, 0xAA);  // The idle one now.
  machine::Memory read;
  ASSERT_TRUE(cell.load(read));
  EXPECT_EQ(read.generation, 2u);
}

}  // namespace
}  // namespace firebreak::guard
