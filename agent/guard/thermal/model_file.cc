#include "agent/guard/thermal/model_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/chain/sha256.h"

namespace firebreak::guard::thermal {
namespace {

using nlohmann::json;

constexpr int format_version = 1;
constexpr std::size_t file_bytes_max = 64 * 1024;
constexpr std::size_t heaters_max = 16;
constexpr std::size_t asks_again_bytes_max = 200;

struct Field {
  const char* name;
  float HeaterModel::*value;
};
constexpr std::array fields{
    Field{"rise_kelvin_per_s", &HeaterModel::rise_kelvin_per_s},
    Field{"rise_slope_per_kelvin", &HeaterModel::rise_slope_per_kelvin},
    Field{"loss_kelvin_per_s", &HeaterModel::loss_kelvin_per_s},
    Field{"loss_exponent", &HeaterModel::loss_exponent},
    Field{"fan_loss", &HeaterModel::fan_loss},
    Field{"flow_loss_per_mm3", &HeaterModel::flow_loss_per_mm3},
    Field{"heater_lag_s", &HeaterModel::heater_lag_s},
    Field{"sensor_lag_s", &HeaterModel::sensor_lag_s},
    Field{"reservoir_rate_per_s", &HeaterModel::reservoir_rate_per_s},
    Field{"reservoir_lag_s", &HeaterModel::reservoir_lag_s},
    Field{"ambient_celsius", &HeaterModel::ambient_celsius},
    Field{"rise_doubt_up", &HeaterModel::rise_doubt_up},
    Field{"rise_doubt_down", &HeaterModel::rise_doubt_down},
    Field{"loss_doubt", &HeaterModel::loss_doubt},
    Field{"fan_doubt", &HeaterModel::fan_doubt},
    Field{"lag_doubt_s", &HeaterModel::lag_doubt_s},
    Field{"residual", &HeaterModel::residual},
};

Result<HeaterModel> model_from(const std::string& heater, const json& value) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::bad_input, "model of " + heater + ": " + what);
  };
  if (!value.is_object()) return wrong("must be an object of numbers");
  HeaterModel model;
  for (const auto& field : fields) {
    const auto found = value.find(field.name);
    if (found == value.end() || !found->is_number()) {
      return wrong(std::string(field.name) + " is missing or no number");
    }
    model.*field.value = found->get<float>();
  }
  if (value.size() != fields.size()) return wrong("holds a number that this version does not know");
  model.learned = 1;
  if (!sane(model)) return wrong("holds a number that no heater has; learn it again");
  return model;
}

json number_or_null(float value) { return std::isfinite(value) ? json(value) : json(); }

json to_json(const ModelOrigin& origin) {
  return {
      {"by", origin.by},
      {"learned_ms", origin.learned_wall_ms},
      {"watts", origin.watts},
      {"mass_g", origin.mass_grams},
      {"pid", json::array({number_or_null(origin.controller.p), number_or_null(origin.controller.i),
                           number_or_null(origin.controller.d)})},
      {"asks_again", origin.asks_again}};
}

/// Of another version, or written by hand: what cannot be read is not known.
ModelOrigin origin_from(const json& value) {
  ModelOrigin origin;
  if (!value.is_object()) return origin;
  const auto text = [&](const char* key) {
    const auto found = value.find(key);
    return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const auto found = value.find(key);
    return found != value.end() && found->is_number() ? found->get<double>() : 0.0;
  };
  origin.by = text("by");
  origin.asks_again = text("asks_again").substr(0, asks_again_bytes_max);
  origin.watts = number("watts");
  origin.mass_grams = number("mass_g");
  const auto learned = value.find("learned_ms");
  if (learned != value.end() && learned->is_number_integer()) {
    origin.learned_wall_ms = learned->get<std::int64_t>();
  }
  const auto pid = value.find("pid");
  if (pid == value.end() || !pid->is_array() || pid->size() != 3) return origin;
  std::array<float*, 3> gains{&origin.controller.p, &origin.controller.i, &origin.controller.d};
  for (std::size_t i = 0; i < gains.size(); ++i) {
    if ((*pid)[i].is_number()) *gains[i] = (*pid)[i].get<float>();
  }
  return origin;
}

/// Of everything but the digest itself. The keys of an object are sorted, so that it is always the
/// same text.
std::string digest_of(json document) {
  document.erase("digest");
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  std::string hex;
  for (const auto byte : chain::sha256({bytes, text.size()})) {
    constexpr std::string_view digits = "0123456789abcdef";
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

json with_digest(json document) {
  document["digest"] = digest_of(document);
  return document;
}

}  // namespace

json to_json(const StoredModels& models) {
  ModelSet numbers;
  json about = json::object();
  for (const auto& [name, stored] : models) {
    numbers[name] = stored.model;
    about[name] = to_json(stored.origin);
  }
  json document = to_json(numbers);
  document["about"] = std::move(about);
  return with_digest(std::move(document));
}

Result<StoredModels> stored_models_from_json(const json& document) {
  auto models = models_from_json(document);
  if (!models) return fail(models.error());
  StoredModels stored;
  const json about = document.value("about", json::object());
  for (const auto& [name, model] : *models) {
    stored[name].model = model;
    if (about.is_object() && about.contains(name)) stored[name].origin = origin_from(about[name]);
  }
  return stored;
}

json to_json(const ModelSet& models) {
  json heaters = json::object();
  for (const auto& [name, model] : models) {
    json numbers = json::object();
    for (const auto& field : fields) numbers[field.name] = model.*field.value;
    heaters[name] = std::move(numbers);
  }
  return {{"version", format_version}, {"heaters", std::move(heaters)}};
}

Result<ModelSet> models_from_json(const json& document) {
  const bool shaped = document.is_object() && document.value("version", json()) == format_version &&
                      document.contains("heaters") && document["heaters"].is_object() &&
                      document["heaters"].size() <= heaters_max;
  if (!shaped) {
    return fail(ErrorCode::bad_input,
                "no model file of this version: expected {\"version\":1,\"heaters\":{…}}");
  }
  const auto digest = document.find("digest");
  if (digest != document.end() && *digest != digest_of(document)) {
    return fail(ErrorCode::corrupt,
                "its digest does not match: the file was changed or damaged; commission again");
  }
  ModelSet models;
  for (const auto& [name, value] : document["heaters"].items()) {
    auto model = model_from(name, value);
    if (!model) return fail(model.error());
    models[name] = *model;
  }
  return models;
}

namespace {

Result<json> read_document(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::not_found, "cannot open " + file.string());
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max) {
    return fail(ErrorCode::bad_input, file.string() + ": larger than a model file can be");
  }
  auto document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(ErrorCode::corrupt, file.string() + ": is no JSON");
  return document;
}

Result<void> write_document(const std::filesystem::path& file, const json& document) {
  const std::string text = document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  const auto beside = file.string() + ".new";
  const auto failed = [&](const char* what) {
    return fail(ErrorCode::unavailable,
                std::string("cannot ") + what + " " + beside + ": " + std::strerror(errno));
  };
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return failed("create");
  const bool written =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  if (::close(fd) != 0 || !written) return failed("write");
  if (::rename(beside.c_str(), file.c_str()) != 0) return failed("rename");
  return {};
}

}  // namespace

Result<ModelSet> read_models(const std::filesystem::path& file) {
  auto document = read_document(file);
  if (!document) return fail(document.error());
  auto models = models_from_json(*document);
  if (!models) return fail(models.error().within(file.string()));
  return models;
}

Result<StoredModels> read_stored_models(const std::filesystem::path& file) {
  auto document = read_document(file);
  if (!document) return fail(document.error());
  auto models = stored_models_from_json(*document);
  if (!models) return fail(models.error().within(file.string()));
  return models;
}

Result<void> write_models(const std::filesystem::path& file, const ModelSet& models) {
  return write_document(file, with_digest(to_json(models)));
}

Result<void> write_models(const std::filesystem::path& file, const StoredModels& models) {
  return write_document(file, to_json(models));
}

}  // namespace firebreak::guard::thermal
