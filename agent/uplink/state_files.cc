#include "agent/uplink/state_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/base/system_reason.h"
#include "common/identity/key.h"
#include "common/identity/private_file.h"
#include "common/wire/cbor.h"
#include "common/wire/fields.h"

namespace firebreak::uplink {
namespace {

constexpr std::size_t pem_file_bytes_max = 64u << 10;

}  // namespace

Result<void> StateFiles::prepare() const {
  if (::mkdir(folder_.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail(ErrorCode::unavailable,
              folder_ + ": the state folder cannot be made: " + system_reason(errno));
}

Result<Identity> StateFiles::load_identity() const {
  const std::string path = folder_ + "/identity.pem";
  auto own = identity::read_private_file(path, pem_file_bytes_max);
  if (!own) {
    if (own.error().code != ErrorCode::not_found) return fail(own.error());
    return fail(ErrorCode::not_found,
                path + ": this agent is not enrolled; run 'firebreak-uplink enroll'");
  }
  if (identity::open_to_others(path)) {
    return fail(ErrorCode::not_allowed, path +
                                            ": others may read the private key; chmod 600 it, "
                                            "and enroll anew if they might have");
  }
  auto authority = identity::read_private_file(folder_ + "/ca.pem", pem_file_bytes_max);
  if (!authority) return fail(authority.error());
  auto certificate = identity::read_certificate(*own);
  if (!certificate || !identity::key_fits_certificate(*own, *own)) {
    return fail(ErrorCode::corrupt, path + ": no key with its certificate; enroll anew");
  }
  return Identity{{*own, *own}, std::move(*certificate), std::move(*authority)};
}

Result<void> StateFiles::save_identity(const std::string& key_pem,
                                       const std::string& certificate_pem) const {
  return identity::write_private_file(folder_ + "/identity.pem", key_pem + certificate_pem);
}

Result<void> StateFiles::save_authority(const std::string& pem) const {
  return identity::write_private_file(folder_ + "/ca.pem", pem);
}

Result<void> StateFiles::save_reset_key(const std::string& hex) const {
  return identity::write_private_file(reset_key_file(), hex + "\n");
}

Memory StateFiles::load_memory() const {
  Memory memory;
  auto text = identity::read_private_file(folder_ + "/memory.json", 4096);
  auto value = text ? wire::parse_json(*text) : Result<nlohmann::json>(fail(text.error()));
  if (!value) return memory;
  wire::Fields fields(*value, "memory");
  memory.epoch = fields.number("epoch");
  memory.head = fields.text("head", 128);
  memory.host = fields.text("host", 253);
  memory.port = static_cast<std::uint16_t>(fields.number("port", 65535));
  return fields.done() ? memory : Memory{};
}

Result<void> StateFiles::save_memory(const Memory& memory) const {
  const nlohmann::json value{
      {"epoch", memory.epoch}, {"head", memory.head}, {"host", memory.host}, {"port", memory.port}};
  return identity::write_private_file(folder_ + "/memory.json", value.dump() + "\n");
}

}  // namespace firebreak::uplink
