#include "common/identity/authority.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#include <array>
#include <cstring>
#include <optional>

#include "common/base/hex.h"
#include "common/identity/bytes.h"
#include "common/identity/key.h"
#include "common/identity/mbedtls_objects.h"

namespace firebreak::identity {
namespace {

constexpr std::chrono::days root_lifetime{20 * 365};
constexpr std::size_t pem_bytes_max = 8192;
/// Names in one server certificate; keeps the extension's DER length in two bytes.
constexpr std::size_t names_max = 32;

enum class Role { root, agent, server };

/// "YYYYMMDDHHMMSS", as mbedTLS wants validity.
std::string x509_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - day)};
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

/// One DER element: tag, length, content.
std::string der(unsigned char tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  if (content.size() < 128) {
    out += static_cast<char>(content.size());
  } else {
    out += "\x82";
    out += static_cast<char>(content.size() >> 8);
    out += static_cast<char>(content.size() & 0xff);
  }
  return out.append(content);
}

constexpr unsigned char der_sequence = MBEDTLS_ASN1_SEQUENCE | MBEDTLS_ASN1_CONSTRUCTED;

/// subjectAltName: dNSName [2] or iPAddress [7] for each name.
Result<std::string> alternative_names(const std::vector<std::string>& names) {
  std::string content;
  for (const std::string& name : names) {
    std::array<char, 16> address{};
    if (name.empty() || name.size() > 253) {
      return fail(ErrorCode::bad_input, "server name '" + name + "' is not usable");
    }
    if (inet_pton(AF_INET, name.c_str(), address.data()) == 1) {
      content += der(MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7, {address.data(), 4});
    } else if (inet_pton(AF_INET6, name.c_str(), address.data()) == 1) {
      content += der(MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7, {address.data(), 16});
    } else {
      content += der(MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2, name);
    }
  }
  return der(der_sequence, content);
}

int set_extension(CertificateWriter& writer, std::string_view oid, const std::string& value) {
  return mbedtls_x509write_crt_set_extension(writer.get(), oid.data(), oid.size(), 0,
                                             bytes_of(value), value.size());
}

/// extendedKeyUsage with one purpose: an agent's certificate cannot pose as the coordinator.
int set_purpose(CertificateWriter& writer, Role role) {
  const std::string_view purpose = role == Role::agent ? std::string_view(MBEDTLS_OID_CLIENT_AUTH)
                                                       : std::string_view(MBEDTLS_OID_SERVER_AUTH);
  return set_extension(writer, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                       der(der_sequence, der(MBEDTLS_ASN1_OID, purpose)));
}

int set_serial(CertificateWriter& writer) {
  auto bytes = random_bytes<16>();
  bytes[0] &= 0x7f;  // positive
  bytes[0] |= 0x40;  // and of full length
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  int code = mbedtls_mpi_read_binary(&serial, bytes.data(), bytes.size());
  if (code == 0) code = mbedtls_x509write_crt_set_serial(writer.get(), &serial);
  mbedtls_mpi_free(&serial);
  return code;
}

struct Order {
  Role role;
  std::string subject;
  std::string issuer;
  mbedtls_pk_context* subject_key;
  mbedtls_pk_context* issuer_key;
  WallTime from;
  WallTime to;
  std::string names;  ///< DER of subjectAltName, or empty.
};

/// Writes and signs one certificate; PEM.
Result<std::string> write_certificate(const Order& order) {
  CertificateWriter writer;
  mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(writer.get(), order.subject_key);
  mbedtls_x509write_crt_set_issuer_key(writer.get(), order.issuer_key);
  const bool root = order.role == Role::root;
  const unsigned usage = root ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                              : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
  int code = set_serial(writer);
  const auto then = [&code](auto&& step) {
    if (code == 0) code = step();
  };
  auto* w = writer.get();
  then([&] { return mbedtls_x509write_crt_set_subject_name(w, order.subject.c_str()); });
  then([&] { return mbedtls_x509write_crt_set_issuer_name(w, order.issuer.c_str()); });
  then([&] {
    return mbedtls_x509write_crt_set_validity(w, x509_time(order.from).c_str(),
                                              x509_time(order.to).c_str());
  });
  then([&] { return mbedtls_x509write_crt_set_basic_constraints(w, root ? 1 : 0, root ? 0 : -1); });
  then([&] { return mbedtls_x509write_crt_set_key_usage(w, usage); });
  then([&] { return mbedtls_x509write_crt_set_subject_key_identifier(w); });
  then([&] { return mbedtls_x509write_crt_set_authority_key_identifier(w); });
  if (!root) then([&] { return set_purpose(writer, order.role); });
  if (!order.names.empty()) {
    then([&] { return set_extension(writer, MBEDTLS_OID_SUBJECT_ALT_NAME, order.names); });
  }
  std::array<unsigned char, pem_bytes_max> out{};
  then([&] {
    return mbedtls_x509write_crt_pem(w, out.data(), out.size(), random_for_mbedtls, nullptr);
  });
  if (code != 0) return fail(ErrorCode::bad_input, "certificate: " + mbedtls_text(code));
  return std::string(reinterpret_cast<const char*>(out.data()));
}

/// mbedTLS parses a request without checking its signature, which is what proves that the sender
/// has the private key.
Result<void> check_request(SigningRequest& request, std::string_view agent) {
  if (mbedtls_pk_can_do(&request->pk, MBEDTLS_PK_ECDSA) == 0 ||
      mbedtls_pk_ec(request->pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1 ||
      request->sig_md != MBEDTLS_MD_SHA256) {
    return fail(ErrorCode::bad_input, "signing request: not ECDSA on P-256 with SHA-256");
  }
  const auto hash = sha256(std::span(request->cri.p, request->cri.len));
  if (mbedtls_pk_verify(&request->pk, MBEDTLS_MD_SHA256, hash.data(), hash.size(), request->sig.p,
                        request->sig.len) != 0) {
    return fail(ErrorCode::bad_input, "signing request: its signature does not verify");
  }
  const mbedtls_x509_name& subject = request->subject;
  const std::string_view name(reinterpret_cast<const char*>(subject.val.p), subject.val.len);
  if (subject.next != nullptr || MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &subject.oid) != 0 ||
      name != agent) {
    return fail(ErrorCode::bad_input, "signing request: its name is not the agent's");
  }
  return {};
}

}  // namespace

Result<Authority> Authority::create(WallTime now) {
  auto key_pem = generate_key_pem();
  if (!key_pem) return fail(key_pem.error());
  Key key;
  if (auto parsed = parse_key(key, *key_pem); !parsed) return fail(parsed.error());
  const std::string name = "CN=Firebreak root " + to_hex(random_bytes<4>());
  auto certificate = write_certificate(
      {Role::root, name, name, key.get(), key.get(), now - backdating, now + root_lifetime, {}});
  if (!certificate) return fail(certificate.error());
  return load(std::move(*certificate), std::move(*key_pem));
}

Result<Authority> Authority::load(std::string certificate_pem, std::string key_pem) {
  auto certificate = read_certificate(certificate_pem);
  if (!certificate) return fail(certificate.error().within("authority"));
  if (!certificate->is_authority) {
    return fail(ErrorCode::bad_input, "authority: the certificate is not one of an authority");
  }
  if (!key_fits_certificate(key_pem, certificate_pem)) {
    return fail(ErrorCode::bad_input, "authority: the key is not the certificate's");
  }
  Authority authority;
  authority.certificate_pem_ = std::move(certificate_pem);
  authority.key_pem_ = std::move(key_pem);
  authority.certificate_ = std::move(*certificate);
  return authority;
}

Result<CertificateInfo> Authority::sign_agent(std::string_view request_pem, std::string_view agent,
                                              WallTime now, std::chrono::hours lifetime) const {
  SigningRequest request;
  const std::string input = parse_input(request_pem);
  if (const int code = mbedtls_x509_csr_parse(request.get(), bytes_of(input), input.size())) {
    return fail(ErrorCode::bad_input, "signing request: " + mbedtls_text(code));
  }
  if (auto checked = check_request(request, agent); !checked) return fail(checked.error());
  Key issuer;
  if (auto parsed = parse_key(issuer, key_pem_); !parsed) return fail(parsed.error());
  auto pem = write_certificate({Role::agent,
                                "CN=" + std::string(agent),
                                "CN=" + certificate_.common_name,
                                &request->pk,
                                issuer.get(),
                                now - backdating,
                                now + lifetime,
                                {}});
  if (!pem) return fail(pem.error());
  return read_certificate(*pem);
}

Result<IssuedIdentity> Authority::issue_server(const std::vector<std::string>& names, WallTime now,
                                               std::chrono::hours lifetime) const {
  std::vector<std::string> all{std::string(coordinator_server_name)};
  all.insert(all.end(), names.begin(), names.end());
  if (all.size() > names_max) {
    return fail(ErrorCode::bad_input, "more than 31 names for one server certificate");
  }
  auto encoded = alternative_names(all);
  auto key_pem = generate_key_pem();
  if (!encoded) return fail(encoded.error());
  if (!key_pem) return fail(key_pem.error());
  Key key;
  Key issuer;
  if (auto parsed = parse_key(key, *key_pem); !parsed) return fail(parsed.error());
  if (auto parsed = parse_key(issuer, key_pem_); !parsed) return fail(parsed.error());
  auto pem = write_certificate({Role::server, "CN=" + std::string(coordinator_server_name),
                                "CN=" + certificate_.common_name, key.get(), issuer.get(),
                                now - backdating, now + lifetime, *encoded});
  if (!pem) return fail(pem.error());
  return IssuedIdentity{std::move(*key_pem), *pem + certificate_pem_};
}

}  // namespace firebreak::identity
