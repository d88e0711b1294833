// Records what a real AWS CLI version 2 does with the command lines in aws-cli.json, so that the
// tests can compare without having one. Only needed to add cases:
//
//     node test/cli/recorded/record.mjs PATH_OF_AWS
//
// aws-cli.json was recorded with aws-cli 2.9.19 (Debian 12) and the API model of lib/model, which
// that version reads from ~/.aws/models/kms/2014-11-01/service-2.json.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const file = new URL('aws-cli.json', import.meta.url);
const directory = fileURLToPath(new URL('files', import.meta.url));
const usage = `usage: aws [options] <command> <subcommand> [<subcommand> ...] [parameters]
To see help text, you can run:

  aws help
  aws <command> help
  aws <command> <subcommand> help
`;

const bodies = [];
const server = createServer(async (request, response) => {
  bodies.push(await text(request));
  response.end('{}');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;

async function record({ args }) {
  bodies.length = 0;
  const aws = spawn(process.argv[2], ['--endpoint-url', url, 'kms', ...args], { cwd: directory });
  const closed = new Promise((resolve) => aws.once('close', resolve));
  const stderr = await text(aws.stderr);
  const exitCode = await closed;
  const complaint = stderr.replace(usage, '<usage>\n').replace('aws: error:', '<program>: error:');
  return { args, exitCode, stderr: complaint, request: bodies[0] };
}

const recorded = [];
for (const known of JSON.parse(readFileSync(file, 'utf8'))) {
  recorded.push(await record(known));
}
server.close();
writeFileSync(file, `${JSON.stringify(recorded, undefined, 2)}\n`);
