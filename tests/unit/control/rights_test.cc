#include "agent/guard/control/rights.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace firebreak::guard {
namespace {

class RightsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "rightsXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    names_.group_file = folder_ / "group";
    names_.passwd_file = folder_ / "passwd";
    std::ofstream(names_.group_file) << "root:x:0:\nfirebreak:x:4242:octo\nreset:x:4343:ana\n";
    std::ofstream(names_.passwd_file) << "root:x:0:0::/root:/bin/sh\n"
                                         "firebreak-uplink:x:4444:4445::/:/bin/false\n";
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_), 0);
  }
  void TearDown() override {
    close(pair_[0]);
    close(pair_[1]);
    std::filesystem::remove_all(folder_);
  }
  // Rights under which the test's own process is nobody in particular.
  static ControlRights stranger() {
    ControlRights rights;
    rights.own_uid = geteuid() + 1;
    return rights;
  }

  std::filesystem::path folder_;
  RightsNames names_;
  int pair_[2] = {-1, -1};
};

TEST_F(RightsTest, NamesAreLookedUpInTheFilesThemselves) {
  names_.operator_group = "firebreak";
  names_.reset_group = "reset";
  names_.uplink_user = "firebreak-uplink";
  const auto rights = resolve_rights(names_);
  EXPECT_EQ(rights.operator_group, 4242U);
  EXPECT_EQ(rights.reset_group, 4343U);
  EXPECT_EQ(rights.uplink_uid, 4444U);
  EXPECT_EQ(rights.uplink_group, 4445U);
  EXPECT_FALSE(rights.own_may_reset);
  EXPECT_TRUE(rights.warnings.empty());
}

TEST_F(RightsTest, WithoutNamesTheGuardsOwnUserIsAllThree) {
  const auto rights = resolve_rights(names_);
  EXPECT_TRUE(rights.own_may_reset);
  EXPECT_EQ(rights.uplink_uid, geteuid());
  const auto peer = identify_peer(pair_[0], false, rights);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->operate);
  EXPECT_TRUE(peer->may_reset);
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_TRUE(identify_peer(pair_[0], true, rights));
}

TEST_F(RightsTest, AMissingNameIsAWarningAndTakesTheRightFromEverybody) {
  names_.reset_group = "nobody-made-this";
  names_.uplink_user = "nor-this";
  const auto rights = resolve_rights(names_);
  EXPECT_EQ(rights.warnings.size(), 2U);
  EXPECT_FALSE(rights.own_may_reset);
  EXPECT_FALSE(rights.uplink_uid);
  EXPECT_FALSE(identify_peer(pair_[0], true, rights));
}

TEST_F(RightsTest, OnlyTheUplinksUserGetsOntoTheUplinksSocketNotEvenRoot) {
  auto rights = stranger();
  rights.uplink_uid = geteuid() + 1;
  const auto refused = identify_peer(pair_[0], true, rights);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_allowed);
  rights.uplink_uid = geteuid();
  const auto peer = identify_peer(pair_[0], true, rights);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->uplink);
  EXPECT_FALSE(peer->operate);
  EXPECT_FALSE(peer->may_reset);
}

TEST_F(RightsTest, MembershipOfAGroupComesFromTheKernel) {
  auto rights = stranger();
  rights.operator_group = getegid();
  const auto peer = identify_peer(pair_[0], false, rights);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->operate);
}

TEST_F(RightsTest, WhoeverMayResetMayAlsoOperate) {
  auto rights = stranger();
  rights.reset_group = getegid();
  const auto peer = identify_peer(pair_[0], false, rights);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->may_reset);
  EXPECT_TRUE(peer->operate);
}

TEST_F(RightsTest, AStrangerIsRefusedWithTheNextStep) {
  const auto self = geteuid();
  const auto rights = stranger();
  ASSERT_EQ(seteuid(self == 0 ? 65534 : self), 0);  // Root is never a stranger.
  int pair[2];
  const int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  ASSERT_EQ(seteuid(self), 0);
  ASSERT_EQ(made, 0);
  const auto refused = identify_peer(pair[0], false, rights);
  close(pair[0]);
  close(pair[1]);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("adduser"), std::string::npos);
}

}  // namespace
}  // namespace firebreak::guard
