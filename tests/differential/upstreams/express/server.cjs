// The application on Express, with the settings that it has by itself: server.cjs PORT ROUTES
"use strict";

const { readFileSync } = require("node:fs");
const express = require("express");

const [port, routes] = process.argv.slice(2);
const application = express();

// "/orgs/{org}/files/{name...}" is "/orgs/:org/files/*name" here, and a colon is escaped.
function pattern(path) {
  return path
    .replaceAll(":", "\\:")
    .replace(/\{(\w+)\.\.\.\}/g, "*$1")
    .replace(/\{(\w+)\}/g, ":$1");
}

application.use((request, response, next) => {
  response.set("X-Upstream", "express");
  next();
});
for (const { name, path } of JSON.parse(readFileSync(routes, "utf8"))) {
  application.all(pattern(path), (request, response) => {
    const served = {
      route: name,
      captures: request.params,
      authorised: request.get("X-Authorizer-Route") ?? "",
      request: request.get("X-Request-Id") ?? "",
    };
    response.set("X-Served", encodeURIComponent(JSON.stringify(served)));
    response.end();
  });
}
// A path that Express cannot decode is the caller's mistake, and not worth a stack trace.
application.use((error, request, response, next) => {
  response.status(error.status ?? 500).end();
});
application.listen(Number(port), "127.0.0.1");
