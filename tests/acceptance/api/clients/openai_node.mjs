// Every call of OpenAI's Node client: it prints a line of JSON for each.
//
//     node openai_node.mjs BASE_URL KEY PORT SECRET DIRECTIVE        (in a folder with node_modules/openai)
//
// Webhooks come to the port, signed with the secret. The operator ends the time of batches with a window of 2h.
// The directive, in a prompt, keeps its answer back until the batch is cancelled.

import { createRequire } from "node:module";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const { OpenAI, toFile } = require("openai");
const { version } = JSON.parse(readFileSync("node_modules/openai/package.json", "utf8"));

const [baseURL, apiKey, port, secret, directive] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const endpoint = "/v1/chat/completions";
const bytes = (text) => new TextEncoder().encode(text);

const line = (number, prompt = "say it", model = "sim-nano") =>
  JSON.stringify({
    custom_id: `line-${number}`,
    method: "POST",
    url: endpoint,
    body: { model, messages: [{ role: "user", content: prompt }], max_tokens: 32 },
  });

const upload = async (...lines) =>
  client.files.create({ file: await toFile(bytes(lines.join("\n")), "b.jsonl"), purpose: "batch" });

async function create(lines, options = {}) {
  const file = await upload(...lines);
  return client.batches.create({ input_file_id: file.id, endpoint, completion_window: "24h", ...options });
}

async function ended(batch) {
  const running = ["validating", "in_progress", "finalizing", "cancelling"];
  for (;;) {
    batch = await client.batches.retrieve(batch.id);
    if (!running.includes(batch.status)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const webhooks = [];
const receiver = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    webhooks.push([body, request.headers]);
    response.writeHead(204).end();
  });
}).listen(Number(port), "127.0.0.1");

async function ids(pages, most) {
  const found = [];
  for await (const one of pages) {
    found.push(one.id);
    if (found.length === most) break;
  }
  return found;
}

async function refused(status, call) {
  try {
    await call();
  } catch (error) {
    return error.status === status && Boolean(error.requestID && error.type && error.code);
  }
  return false;
}

const calls = {
  "files: create, retrieve, wait_for_processing, content, list, delete": async () => {
    const file = await upload(line(1));
    const processed = await client.files.waitForProcessing(file.id);
    const text = await (await client.files.content(file.id)).text();
    const listed = await ids(client.files.list({ limit: 1, purpose: "batch" }), 1);
    const deleted = await client.files.delete(file.id);
    return processed.status === "processed" && text === line(1) && listed[0] === file.id && deleted.deleted;
  },
  "files: expires_after": async () => {
    const file = await client.files.create({
      file: await toFile(bytes("{}"), "b.jsonl"),
      purpose: "batch",
      expires_after: { anchor: "created_at", seconds: 3600 },
    });
    return file.expires_at === file.created_at + 3600;
  },
  "uploads: create, parts, complete with md5": async () => {
    const data = bytes(line(1));
    const begun = await client.uploads.create({
      bytes: data.length, filename: "b.jsonl", mime_type: "text/plain", purpose: "batch",
    });
    const parts = [];
    for (const part of [data.slice(0, 50), data.slice(50)]) {
      const made = await client.uploads.parts.create(begun.id, { data: await toFile(part, "part") });
      parts.push(made.id);
    }
    const md5 = createHash("md5").update(data).digest("hex");
    const done = await client.uploads.complete(begun.id, { part_ids: parts, md5 });
    return done.status === "completed" && done.file.bytes === data.length;
  },
  "uploads: cancel": async () => {
    const begun = await client.uploads.create({
      bytes: 9, filename: "b.jsonl", mime_type: "text/plain", purpose: "batch",
    });
    return (await client.uploads.cancel(begun.id)).status === "cancelled";
  },
  "batches: create, retrieve, content of the output": async () => {
    const batch = await ended(await create([line(1), line(2)], { metadata: { a: "b" } }));
    const text = await (await client.files.content(batch.output_file_id)).text();
    const found = text.trim().split("\n").map((one) => JSON.parse(one).custom_id).sort();
    return found.join() === "line-1,line-2" && batch.request_counts.completed === 2 && batch.metadata.a === "b";
  },
  "batches: errors of a file that is not valid": async () => {
    const batch = await ended(await create([line(1), "{"]));
    return batch.status === "failed" && batch.errors.data[0].line === 2;
  },
  "batches: cancel": async () => {
    const lines = Array.from({ length: 200 }, (_, number) => line(number, `${directive} ${number}`));
    const batch = await create(lines);
    await client.batches.cancel(batch.id);
    return (await ended(batch)).status === "cancelled";
  },
  "batches: expired": async () => {
    const lines = Array.from({ length: 50 }, (_, number) => line(number, `${directive} ${number}`, "sim-coder"));
    const batch = await ended(await create(lines, { completion_window: "2h" }));
    return batch.status === "expired" && batch.expired_at > 0 && batch.completed_at === null;
  },
  "batches: list over pages": async () => {
    const made = [];
    for (const number of [1, 2, 3]) made.push((await create([line(number)])).id);
    return (await ids(client.batches.list({ limit: 1 }), 3)).join() === made.reverse().join();
  },
  "webhooks: unwrap": async () => {
    const batch = await ended(await create([line(1)]));
    let mine;
    for (let tries = 0; tries < 200 && !mine; tries++) {
      mine = webhooks.find(([body]) => body.includes(batch.id));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const event = await client.webhooks.unwrap(mine[0], mine[1], secret);
    const changed = mine[0].replace("completed", "cancelled");
    const isRefused = await client.webhooks.unwrap(changed, mine[1], secret).then(() => false, () => true);
    return event.type === "batch.completed" && event.data.id === batch.id && isRefused;
  },
  "models: list, retrieve": async () => {
    const names = await ids(client.models.list(), 100);
    return names.includes("sim-nano") && (await client.models.retrieve("auto")).id === "auto";
  },
  "errors: 400, 401, 404": async () => {
    const wrong = new OpenAI({ baseURL, apiKey: "sk-wrong", maxRetries: 0 });
    return (
      (await refused(404, () => client.batches.retrieve("batch_none"))) &&
      (await refused(404, () => client.files.content("file-none"))) &&
      (await refused(400, () => create([line(1)], { completion_window: "1m" }))) &&
      (await refused(401, () => wrong.models.list()))
    );
  },
};

for (const [call, run] of Object.entries(calls)) {
  let result;
  try {
    result = (await run()) ? "ok" : "wrong";
  } catch (error) {
    result = String(error);
  }
  console.log(JSON.stringify({ call, result, client: version }));
}
receiver.close();
