#pragma once

#include <string>
#include <vector>

namespace firebreak::coordinator {

/// One raw request (or several on one connection), and what must come of it.
struct HostileRequest {
  std::string name;
  std::string raw;
  int status = 400;  ///< Of the first answer. 0: no answer is due yet (the request is not whole).
  /// Paths that a handler may see, in order; a `/hidden` among them would be a smuggled request.
  std::vector<std::string> handled;
};

namespace hostile {

using namespace std::string_literals;

inline const std::string host = "Host: a\r\n";
inline const std::string json = "Content-Type: application/json\r\n";
inline const std::string post = "POST /p HTTP/1.1\r\n" + host + json;
inline const std::string get = "GET /g HTTP/1.1\r\n";
inline const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// Whole requests, and bodies where none belong.
inline std::vector<HostileRequest> whole() {
  return {
      {"a plain GET", get + host + "\r\n", 200, {"/g"}},
      {"a plain POST", post + "Content-Length: 2\r\n\r\n{}", 200, {"/p"}},
      {"two requests, one after the other",
       get + host + "\r\n" + get + host + "\r\n",
       200,
       {"/g", "/g"}},
      {"an empty length header on a GET", get + host + "Content-Length:\r\n\r\n", 400, {}},
      {"a length of zero on a GET", get + host + "Content-Length: 0\r\n\r\n", 200, {"/g"}},
      {"a body on a GET", get + host + "Content-Length: 37\r\n\r\n" + hidden, 400, {}},
      {"a body on a DELETE",
       "DELETE /g HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\n{}",
       400,
       {}},
  };
}

/// Lengths, chunks and encodings: RFC 9112 §6 and §7.
inline std::vector<HostileRequest> lengths() {
  return {
      {"two equal lengths", post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, {}},
      {"two different lengths",
       post + "Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}" + hidden,
       400,
       {}},
      {"two lengths in other cases",
       post + "Content-Length: 2\r\ncONTENT-lENGTH: 0\r\n\r\n{}",
       400,
       {}},
      {"a list of lengths", post + "Content-Length: 42, 42\r\n\r\n", 400, {}},
      {"a length with a plus", post + "Content-Length: +42\r\n\r\n", 400, {}},
      {"a length with a minus", post + "Content-Length: -1\r\n\r\n", 400, {}},
      {"a length in hex", post + "Content-Length: 0x10\r\n\r\n", 400, {}},
      {"a length with a space inside", post + "Content-Length: 1 0\r\n\r\n", 400, {}},
      {"a length with a fraction", post + "Content-Length: 2.0\r\n\r\n{}", 400, {}},
      {"a length that wraps", post + "Content-Length: 18446744073709551618\r\n\r\n{}", 400, {}},
      {"a length beyond the bound", post + "Content-Length: 1048577\r\n\r\n", 413, {}},
      {"a length of 15 digits", post + "Content-Length: 999999999999999\r\n\r\n", 413, {}},
      {"a length and chunks",
       post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
       400,
       {}},
      {"chunks and a length",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n" + hidden,
       400,
       {}},
      {"chunks", post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411, {}},
      {"chunks of size -2", post + "Transfer-Encoding: chunked\r\n\r\n-2\r\n", 411, {}},
      {"two transfer encodings",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
       400,
       {}},
      {"gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, {}},
      {"chunked, gzip", post + "Transfer-Encoding: chunked, gzip\r\n\r\n", 501, {}},
      {"chunked with a vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n", 400, {}},
      {"an unknown transfer encoding", post + "Transfer-Encoding: xchunked\r\n\r\n", 501, {}},
  };
}

/// Header lines: RFC 9112 §5 and §3.2.
inline std::vector<HostileRequest> headers() {
  return {
      {"a transfer encoding with a space before its colon",
       post + "Transfer-Encoding : chunked\r\n\r\n" + hidden,
       400,
       {}},
      {"a tab before a colon", post + "Content-Length\t: 2\r\n\r\n{}", 400, {}},
      {"a folded header", get + host + "X: a\r\n b\r\n\r\n", 400, {}},
      {"a folded first header", get + " Host: a\r\n\r\n", 400, {}},
      {"a fold by a tab", get + host + "X: a\r\n\tb\r\n\r\n", 400, {}},
      {"bare line feeds", "GET /g HTTP/1.1\nHost: a\n\n", 400, {}},
      {"one bare line feed", get + "Host: a\n\r\n", 400, {}},
      {"a bare line feed that hides a header",
       get + host + "X: a\nContent-Length: 5\r\n\r\n",
       400,
       {}},
      {"a bare carriage return", get + "Host: a\rX: b\r\n\r\n", 400, {}},
      {"a NUL in a value", get + host + "X: a\0b\r\n\r\n"s, 400, {}},
      {"a NUL in the target", "GET /g\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, 400, {}},
      {"a control byte in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, {}},
      {"DEL in a value", get + host + "X: a\x7f\r\n\r\n", 400, {}},
      {"a byte beyond ASCII", get + host + "X: \xc3\xa4\r\n\r\n", 400, {}},
      {"an empty header name", get + host + ": a\r\n\r\n", 400, {}},
      {"a header without a colon", get + host + "nothing\r\n\r\n", 400, {}},
      {"a space in a header name", get + host + "X Y: a\r\n\r\n", 400, {}},
      {"no Host", get + "\r\n", 400, {}},
      {"two Hosts", get + host + host + "\r\n", 400, {}},
      {"an empty Host", get + "Host: \r\n\r\n", 400, {}},
      {"a Host with a path", get + "Host: a/b\r\n\r\n", 400, {}},
      {"two Authorizations",
       get + host + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
       400,
       {}},
      {"an empty and a full Authorization",
       get + host + "Authorization:\r\nAuthorization: Bearer b\r\n\r\n",
       400,
       {}},
  };
}

/// Request lines and targets: RFC 9112 §2.3 and §3.
inline std::vector<HostileRequest> request_lines() {
  return {
      {"an empty line first", "\r\n" + get + host + "\r\n", 400, {}},
      {"HTTP/1.0", "GET /g HTTP/1.0\r\n" + host + "\r\n", 505, {}},
      {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, {}},
      {"HTTP/0.9", "GET /g\r\n\r\n", 400, {}},
      {"HTTP/11", "GET /g HTTP/11\r\n" + host + "\r\n", 400, {}},
      {"a version in lower case", "GET /g http/1.1\r\n" + host + "\r\n", 400, {}},
      {"two spaces in the request line", "GET  /g HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a tab in the request line", "GET\t/g HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a space in the target", "GET /g /h HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a method in lower case", "get /g HTTP/1.1\r\n" + host + "\r\n", 501, {}},
      {"an unknown method", "BREW /g HTTP/1.1\r\n" + host + "\r\n", 501, {}},
      {"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" + host + "\r\n", 501, {}},
      {"TRACE", "TRACE /g HTTP/1.1\r\n" + host + "\r\n", 501, {}},
      {"an absolute target", "GET http://a/hidden HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a star target", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a fragment", "GET /g#x HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"dot segments", "GET /a/../hidden HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"escaped dot segments", "GET /a/%2e%2e/hidden HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"an escaped slash", "GET /a%2fhidden HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"an escaped NUL", "GET /a%00 HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"an escaped percent sign", "GET /%252e HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a broken escape", "GET /a%2 HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a doubled slash", "GET //hidden HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"a backslash", "GET /a\\hidden HTTP/1.1\r\n" + host + "\r\n", 400, {}},
      {"an escaped line feed in the query",
       "GET /g?a=%0d%0a HTTP/1.1\r\n" + host + "\r\n",
       400,
       {}},
      {"a long target",
       "GET /" + std::string(4000, 'a') + " HTTP/1.1\r\n" + host + "\r\n",
       414,
       {}},
  };
}

/// Sizes, body types and ends: RFC 9112 §8, RFC 9110 §8 and §10.
inline std::vector<HostileRequest> bodies() {
  const std::string long_text(20'000, 'a');
  std::string many_headers = get + host;
  for (int i = 0; i < 70; ++i) many_headers += "X-" + std::to_string(i) + ": 1\r\n";
  return {
      {"a long head", get + host + "X: " + long_text + "\r\n\r\n", 431, {}},
      {"many headers", many_headers + "\r\n", 431, {}},
      {"a form as a body",
       "POST /p HTTP/1.1\r\n" + host +
           "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
       415,
       {}},
      {"a body of no type", "POST /p HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\n{}", 415, {}},
      {"a compressed body",
       post + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
       415,
       {}},
      {"JSON of another charset",
       "POST /p HTTP/1.1\r\n" + host +
           "Content-Type: application/json; charset=utf-7\r\nContent-Length: 2\r\n\r\n{}",
       415,
       {}},
      {"an expectation", post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", 417, {}},
      {"an upgrade, which is not done",
       get + host + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
       200,
       {"/g"}},
      {"a body and what looks like a request behind it",
       post + "Content-Length: 2\r\n\r\n{}" + "XGET /hidden HTTP/1.1\r\n\r\n",
       200,
       {"/p"}},
      {"a head that does not end", get + host, 0, {}},
      {"a body that does not end", post + "Content-Length: 10\r\n\r\n{}", 0, {}},
  };
}

}  // namespace hostile

/// From RFC 9112 §2 to §7 and §11, and from what went wrong in cpp-httplib and elsewhere.
inline std::vector<HostileRequest> hostile_corpus() {
  std::vector<HostileRequest> all;
  for (const auto& part : {hostile::whole(), hostile::lengths(), hostile::headers(),
                           hostile::request_lines(), hostile::bodies()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace firebreak::coordinator
