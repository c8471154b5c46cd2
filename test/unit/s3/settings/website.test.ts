// Websites: documents, and the routing examples of the user guide.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  parseWebsite,
  type Website,
  websiteDocument,
} from "../../../../services/lib/s3/settings/website.ts";
import {
  folderOf,
  objectRedirect,
  routeWebsite,
  routeWebsiteError,
} from "../../../../services/lib/s3/settings/website-routing.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body } from "./bodies.ts";

const INDEX = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";

function parse(inner: string): Website {
  return parseWebsite(body(`<WebsiteConfiguration>${inner}</WebsiteConfiguration>`));
}

function withRule(redirect: string, condition = ""): Website {
  const rule = `<RoutingRule>${condition}<Redirect>${redirect}</Redirect></RoutingRule>`;
  return parse(`${INDEX}<RoutingRules>${rule}</RoutingRules>`);
}

function onPrefix(prefix: string): string {
  return `<Condition><KeyPrefixEquals>${prefix}</KeyPrefixEquals></Condition>`;
}

function ask(key: string) {
  return { host: "site.example:81", protocol: "http", key } as const;
}

describe("documents", () => {
  test("go round", () => {
    const all = [
      parse(INDEX),
      parse(`${INDEX}<ErrorDocument><Key>e/404.html</Key></ErrorDocument>`),
      parse("<RedirectAllRequestsTo><HostName>x.org</HostName></RedirectAllRequestsTo>"),
      parse(
        "<RedirectAllRequestsTo><HostName>x.org</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>",
      ),
      withRule("<HostName>h</HostName><ReplaceKeyWith>k</ReplaceKeyWith>", onPrefix("a")),
      withRule(
        "<Protocol>https</Protocol><ReplaceKeyPrefixWith>n/</ReplaceKeyPrefixWith><HttpRedirectCode>307</HttpRedirectCode>",
        "<Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>",
      ),
    ];
    for (const website of all) {
      assert.deepEqual(parseWebsite(body(websiteDocument(website))), website);
    }
  });

  test("refuses", () => {
    const host = "<HostName>h</HostName>";
    const rules = (count: number) =>
      `${INDEX}<RoutingRules>${`<RoutingRule><Redirect>${host}</Redirect></RoutingRule>`.repeat(count)}</RoutingRules>`;
    parse(rules(50));
    for (const inner of [
      rules(0),
      `${INDEX}<RoutingRules><RoutingRule/></RoutingRules>`,
      `${INDEX}<RoutingRules><RoutingRule><Redirect/></RoutingRule></RoutingRules>`,
      `${INDEX}<RoutingRules><RoutingRule><Condition/><Redirect>${host}</Redirect></RoutingRule></RoutingRules>`,
      "<IndexDocument/>",
      "<RedirectAllRequestsTo/>",
      `${INDEX}<ErrorDocument/>`,
      `${INDEX}<Other/>`,
    ]) {
      expectS3Error("MalformedXML", () => parse(inner));
    }
    for (const inner of [
      "",
      "<IndexDocument><Suffix></Suffix></IndexDocument>",
      "<IndexDocument><Suffix>a/b</Suffix></IndexDocument>",
      `${INDEX}<ErrorDocument><Key></Key></ErrorDocument>`,
      "<RedirectAllRequestsTo><HostName>a/b</HostName></RedirectAllRequestsTo>",
      "<RedirectAllRequestsTo><HostName></HostName></RedirectAllRequestsTo>",
    ]) {
      expectS3Error("InvalidArgument", () => parse(inner));
    }
    expectS3Error("InvalidRequest", () => parse(rules(51)));
    const all = "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>";
    expectS3Error("InvalidRequest", () => parse(all + INDEX));
    for (const redirect of [
      "<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>",
      "<HttpRedirectCode>300</HttpRedirectCode>",
      "<HttpRedirectCode>404</HttpRedirectCode>",
      "<Protocol>ftp</Protocol>",
    ]) {
      expectS3Error("InvalidRequest", () => withRule(redirect));
    }
    withRule("<HttpRedirectCode>399</HttpRedirectCode>");
    for (const status of ["399", "600"]) {
      const condition = `<Condition><HttpErrorCodeReturnedEquals>${status}</HttpErrorCodeReturnedEquals></Condition>`;
      expectS3Error("InvalidRequest", () => withRule(host, condition));
    }
  });
});

describe("routing", () => {
  test("index documents in the root and in folders", () => {
    const website = parse(INDEX);
    const key = (asked: string) => {
      const route = routeWebsite(website, ask(asked));
      return route.kind === "object" ? route.key : route.location;
    };
    assert.equal(key(""), "index.html");
    assert.equal(key("photos/"), "photos/index.html");
    assert.equal(key("photos"), "photos");
    assert.deepEqual(folderOf(website, ask("my photos")), {
      indexKey: "my photos/index.html",
      location: "/my%20photos/",
    });
    assert.equal(folderOf(website, ask("photos/")), undefined);
    assert.equal(folderOf(website, ask("")), undefined);
  });

  test("everything elsewhere", () => {
    const to = (protocol: string) =>
      routeWebsite(
        parse(
          `<RedirectAllRequestsTo><HostName>x.org</HostName>${protocol}</RedirectAllRequestsTo>`,
        ),
        ask("a b/c"),
      );
    const redirect = { kind: "redirect", status: 301 };
    assert.deepEqual(to(""), { ...redirect, location: "http://x.org/a%20b/c" });
    const https = to("<Protocol>https</Protocol>");
    assert.deepEqual(https, { ...redirect, location: "https://x.org/a%20b/c" });
  });

  test("a renamed prefix, a removed one, an error: examples 1 to 3 of the user guide", () => {
    const renamed = withRule(
      "<ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith>",
      onPrefix("docs/"),
    );
    const location = (website: Website, key: string) => {
      const route = routeWebsite(website, ask(key));
      return route.kind === "redirect" ? route.location : route.key;
    };
    assert.equal(location(renamed, "docs/a.html"), "http://site.example:81/documents/a.html");
    assert.equal(location(renamed, "doc/a.html"), "doc/a.html");
    const removed = withRule(
      "<ReplaceKeyWith>folderdeleted.html</ReplaceKeyWith>",
      onPrefix("images/"),
    );
    assert.equal(location(removed, "images/a"), "http://site.example:81/folderdeleted.html");
    const missing = withRule(
      "<HostName>ec2.example</HostName><ReplaceKeyPrefixWith>report-404/</ReplaceKeyPrefixWith><HttpRedirectCode>302</HttpRedirectCode>",
      "<Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>",
    );
    assert.equal(location(missing, "Page.html"), "Page.html");
    assert.deepEqual(routeWebsiteError(missing, ask("Page.html"), 404), {
      kind: "redirect",
      status: 302,
      location: "http://ec2.example/report-404/Page.html",
    });
    assert.deepEqual(routeWebsiteError(missing, ask("Page.html"), 403), { kind: "default" });
  });

  test("the owner's text stays as written, the client's is encoded", () => {
    const app = withRule(
      "<ReplaceKeyPrefixWith>#!/é </ReplaceKeyPrefixWith>",
      "<Condition><KeyPrefixEquals>p/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>",
    );
    const route = routeWebsiteError(app, ask("p/a?\r\n"), 404);
    assert.equal(
      route.kind === "redirect" && route.location,
      "http://site.example:81/#!/%C3%A9%20a%3F%0D%0A",
    );
    assert.deepEqual(routeWebsiteError(app, ask("q/a"), 404), { kind: "default" });
  });

  test("error documents stand in for errors of the client only", () => {
    const website = parse(`${INDEX}<ErrorDocument><Key>e.html</Key></ErrorDocument>`);
    const page = { kind: "error-document", key: "e.html" };
    assert.deepEqual(routeWebsiteError(website, ask("x"), 403), page);
    assert.deepEqual(routeWebsiteError(website, ask("x"), 404), page);
    assert.deepEqual(routeWebsiteError(website, ask("x"), 500), { kind: "default" });
  });

  test("an object of its own", () => {
    assert.equal(objectRedirect(undefined), undefined);
    assert.deepEqual(objectRedirect("/x"), { kind: "redirect", status: 301, location: "/x" });
  });
});
