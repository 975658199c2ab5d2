#include "coordinator/store/schema.h"

#include <array>

namespace firebreak::coordinator {
namespace {

// Times are milliseconds since 1970 (UTC), for people; order comes from ids and indexes alone.
constexpr std::string_view version_1 = R"sql(
CREATE TABLE epoch(id INTEGER PRIMARY KEY CHECK(id = 1), value INTEGER NOT NULL) STRICT;
INSERT INTO epoch VALUES(1, 0);

CREATE TABLE audit_record(
  idx INTEGER PRIMARY KEY,
  canonical BLOB NOT NULL,
  leaf BLOB NOT NULL,
  mac BLOB NOT NULL) STRICT;
CREATE TABLE audit_head(
  id INTEGER PRIMARY KEY CHECK(id = 1),
  size INTEGER NOT NULL,
  peaks BLOB NOT NULL,
  last_hash BLOB NOT NULL,
  last_mac BLOB NOT NULL,
  mac BLOB NOT NULL) STRICT;

CREATE TABLE agent(
  name TEXT PRIMARY KEY,
  enrolled_ms INTEGER NOT NULL,
  revoked_ms INTEGER,
  last_seen_ms INTEGER,
  software TEXT) STRICT;
CREATE TABLE certificate(
  fingerprint BLOB PRIMARY KEY,
  agent TEXT NOT NULL REFERENCES agent(name),
  serial INTEGER NOT NULL,
  not_after_ms INTEGER NOT NULL,
  added_ms INTEGER NOT NULL,
  used_ms INTEGER,
  superseded_ms INTEGER) STRICT;
CREATE INDEX certificate_agent ON certificate(agent, serial);
CREATE TABLE printer(
  agent TEXT NOT NULL,
  name TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  PRIMARY KEY(agent, name)) STRICT;

CREATE TABLE event_log(
  agent TEXT NOT NULL,
  log TEXT NOT NULL,
  stored_seq INTEGER NOT NULL,
  last_hash TEXT NOT NULL,
  chain_ok INTEGER NOT NULL,
  audit_index INTEGER NOT NULL,
  PRIMARY KEY(agent, log)) STRICT;
CREATE TABLE event(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  agent TEXT,
  log TEXT,
  seq INTEGER,
  received_ms INTEGER NOT NULL,
  severity TEXT NOT NULL,
  printer TEXT,
  chain_ok INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE(agent, log, seq)) STRICT;
CREATE INDEX event_printer ON event(printer, id) WHERE printer IS NOT NULL;
CREATE INDEX event_agent ON event(agent, id);
CREATE INDEX event_severity ON event(severity, id);

CREATE TABLE enrollment(
  id TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  secret_hash BLOB NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER) STRICT;
CREATE TABLE token(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  person INTEGER NOT NULL,
  scopes INTEGER NOT NULL,
  secret_hash BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  revoked_ms INTEGER) STRICT;
CREATE TABLE operation(
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  body TEXT NOT NULL) STRICT;
CREATE INDEX operation_waiting ON operation(created_ms) WHERE waiting = 1;
)sql";

// A save that waited for a full disk must not replace a newer one.
constexpr std::string_view version_2 = R"sql(
ALTER TABLE operation ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr std::array<storage::Migration, 2> steps{{{1, version_1}, {2, version_2}}};

}  // namespace

std::span<const storage::Migration> coordinator_migrations() { return steps; }

}  // namespace firebreak::coordinator
