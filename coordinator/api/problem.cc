#include <sodium.h>

#include "common/base/escape.h"
#include "coordinator/api/http.h"
#include "coordinator/store/writer.h"

namespace firebreak::coordinator {

using nlohmann::json;

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Error";
  }
}

Response json_response(int status, const json& body) {
  Response out;
  out.status = status;
  out.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  out.body.push_back('\n');
  return out;
}

Response problem(const Request& request, int status, std::string_view code, std::string detail,
                 std::string_view hint, const std::vector<FieldProblem>& errors) {
  json body{{"type", "urn:firebreak:problem:" + std::string(code)},
            {"title", reason_phrase(status)},
            {"status", status},
            {"detail", std::move(detail)},
            {"code", code},
            {"hint", hint},
            {"trace_id", request.trace_id}};
  if (!errors.empty()) {
    json list = json::array();
    for (const FieldProblem& error : errors)
      list.push_back({{"pointer", escape_untrusted(error.pointer)}, {"detail", error.detail}});
    body["errors"] = std::move(list);
  }
  Response out = json_response(status, body);
  out.content_type = "application/problem+json";
  return out;
}

Response store_problem(const Request& request, const Error& error, StoreHealth health) {
  switch (error.code) {
    case ErrorCode::not_found:
      return problem(request, 404, "not_found", error.message, "list what there is first");
    case ErrorCode::refused:
      return problem(request, 409, "conflict", error.message, "look at the present state first");
    case ErrorCode::unavailable:
      if (is_disk_full(error) || health == StoreHealth::full)
        return problem(request, 507, "storage_full",
                       "the coordinator's disk is full; nothing was changed",
                       "free space on the coordinator; stops and reads go on, and changes work "
                       "again by themselves");
      return problem(request, 503, "storage_failed", "the coordinator's storage does not answer",
                     "look at the coordinator's log and disk; stops go on");
    default:
      return problem(request, 500, "internal", "the coordinator's storage failed",
                     "look for the trace id in the coordinator's log");
  }
}

}  // namespace firebreak::coordinator
