// The raw connection of the load processes against servers that answer in every way they may.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Connection, type Exchange } from "../../../benchmarks/load/connection.ts";

const REQUEST: Exchange = { head: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", take: "text" };

/** Runs `work` against a server that sends these pieces for each request, one after the other. */
async function against(
  answers: readonly (readonly string[])[],
  work: (connection: Connection, connections: () => number) => Promise<void>,
): Promise<void> {
  let opened = 0;
  let answered = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    opened += 1;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("data", () => {
      const pieces = answers[answered] ?? [];
      answered += 1;
      void send(socket, pieces);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const connection = new Connection(`http://127.0.0.1:${port}`);
  try {
    await work(connection, () => opened);
  } finally {
    connection.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** The empty piece closes. */
async function send(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    if (piece === "") socket.destroy();
    else await new Promise<void>((sent) => socket.write(piece, () => setImmediate(sent)));
  }
}

test("heads and bodies come in any pieces; one connection serves them all", async () => {
  const answers = [
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20", "0 OK\r\ncontent-length: 5\r\n\r", "\nhe", "llo"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "lo\r\n0\r", "\n\r\n"],
    ["HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nnot"],
    ["HTTP/1.1 204 No Content\r\n\r\n"],
  ];
  await against(answers, async (connection, connections) => {
    assert.equal((await connection.exchange(REQUEST)).text, "hello");
    const second = await connection.exchange({ ...REQUEST, take: "crc32" });
    assert.equal(second.crc32, crc32("hello"));
    assert.match((await connection.exchange(REQUEST)).text, /hello/);
    const refused = await connection.exchange({ ...REQUEST, take: "nothing" });
    assert.deepEqual([refused.status, refused.text], [404, "not"]);
    assert.equal((await connection.exchange(REQUEST)).status, 204);
    assert.equal(connections(), 1);
  });
});

test("after Connection: close the next exchange opens another connection", async () => {
  const last = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  await against([[last, ""], [last]], async (connection, connections) => {
    await connection.exchange(REQUEST);
    await connection.exchange(REQUEST);
    assert.equal(connections(), 2);
  });
});

test("an answer that breaks off or is too long fails its exchange", async () => {
  const short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
  const long = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello";
  await against([[short, ""], [long]], async (connection) => {
    await assert.rejects(connection.exchange(REQUEST), /before its answer was whole/);
    await assert.rejects(connection.exchange(REQUEST), /more bytes came/);
  });
});
