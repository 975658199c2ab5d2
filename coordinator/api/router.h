#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/api/http.h"
#include "coordinator/front_door/request_parser.h"

namespace firebreak::coordinator {

/// A request on its way through the router.
struct Exchange {
  const ParsedRequest* parsed = nullptr;
  const Route* route = nullptr;  ///< Set when a route fits.
  Request request;               ///< Arguments and query are filled in by the router.
  bool doubled_query = false;    ///< A query parameter stands twice.
};

/// Finds the route of a request with cpp-httplib's router. Nothing of a client's bytes reaches that
/// library but what the front door's parser let through, written anew: the request line, Host, the
/// length and the body; no header of the client's. It reads from memory, and what it writes is
/// thrown away: answers are written by our own code.
class Router {
 public:
  explicit Router(std::vector<Route> routes);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Fills `exchange.route` and the request's arguments and query. Any thread; never throws.
  void find(Exchange& exchange) const;

  /// The methods that the path has, as an Allow header; empty when it has none.
  [[nodiscard]] std::string allowed(const std::string& path) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  class Server;
  const std::vector<Route> routes_;
  std::unique_ptr<Server> server_;
};

}  // namespace firebreak::coordinator
