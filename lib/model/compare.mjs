// Compares AWS's API model (service-2.json) with @aws-sdk/client-kms, which is published the day
// that AWS changes its API: members that we do not know may limit something. Exits 1 if the
// installed client has another model. A newer client in the registry is only reported: what others
// publish must not fail a good commit.
//
// The client has no bounds and patterns. They are compared with the botocore that Python has, which
// is only reported, too, for it may be an old one. With a file of that form (service-2.json) as its
// argument, the script compares with this file instead, and exits 1 if it differs.
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const name = '@aws-sdk/client-kms';
const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Says what the client's model has that ours has not, and the other way round. */
export function differences(model, client) {
  const found = [];
  const compare = (what, ours, theirs) => {
    const missing = theirs.filter((one) => !ours.includes(one));
    const gone = ours.filter((one) => !theirs.includes(one));
    if (missing.length > 0) found.push(`${what}: new: ${missing.join(', ')}`);
    if (gone.length > 0) found.push(`${what}: gone: ${gone.join(', ')}`);
  };
  compare('operations', Object.keys(model.operations), operationsOf(client));
  for (const [shape, { type, members = {}, required = [], enum: values }] of Object.entries(
    model.shapes,
  )) {
    if (type === 'structure') {
      // Its schema: kind, namespace, name, traits, member names, member shapes, how many are
      // required.
      const [, , , , names, , numRequired = 0] = client[`${shape}$`] ?? [];
      // Those without members are not in the client.
      if (names === undefined) continue;
      compare(shape, Object.keys(members), names);
      compare(`${shape}, required`, [...required].sort(), names.slice(0, numRequired).sort());
    } else if (values !== undefined) {
      compare(shape, values, Object.values(client[shape] ?? {}));
    }
  }
  return found;
}

/** Says which bounds and patterns of shapes that both models have are not the same. */
export function boundDifferences(model, other) {
  return Object.entries(model.shapes).flatMap(([name, ours]) => {
    const theirs = other.shapes[name];
    if (theirs === undefined) return [];
    return ['type', 'min', 'max', 'pattern'].flatMap((property) => {
      const [mine, given] = [ours[property], theirs[property]];
      return mine === given ? [] : [`${name}, ${property}: ${given} instead of ${mine}`];
    });
  });
}

function operationsOf(client) {
  return Object.keys(client)
    .filter((key) => /^[A-Z]\w*Command$/.test(key))
    .map((key) => key.slice(0, -'Command'.length));
}

async function main([file]) {
  const model = JSON.parse(await readFile(new URL('service-2.json', import.meta.url), 'utf8'));
  if (file !== undefined) {
    const found = boundDifferences(model, JSON.parse(await readFile(file, 'utf8')));
    for (const line of found) say(`${file} has another model than lib/model: ${line}`);
    if (found.length > 0) process.exitCode = 1;
    return;
  }
  const installed = require(`${name}/package.json`).version;
  const own = differences(model, await import(name));
  for (const line of own) say(`${name} ${installed} has another model than lib/model: ${line}`);
  if (own.length > 0) process.exitCode = 1;
  await tellOfBounds(model).catch((error) => {
    say(`bounds and patterns were not compared: ${String(error.message).split('\n')[0]}`);
  });
  await tellOfNewer(model, installed).catch((error) => {
    say(
      `whether there is a newer ${name} was not found out: ${String(error.message).split('\n')[0]}`,
    );
  });
}

const printBotocore = `
import botocore, botocore.session, json
loader = botocore.session.get_session().get_component('data_loader')
model = loader.load_service_model('kms', 'service-2')
print(json.dumps({'version': botocore.__version__, 'shapes': model['shapes']}))`;

async function tellOfBounds(model) {
  const options = { timeout: 20_000, maxBuffer: 1 << 26 };
  const { stdout } = await run('python3', ['-c', printBotocore], options);
  const botocore = JSON.parse(stdout);
  for (const line of boundDifferences(model, botocore)) {
    say(`botocore ${botocore.version} has another model than lib/model: ${line}`);
  }
}

async function tellOfNewer(model, installed) {
  const timeout = 20_000;
  const { stdout } = await run('npm', ['view', name, 'version'], { timeout });
  const newest = stdout.trim();
  if (newest === installed) return;
  // In node_modules, so that it finds what it needs itself.
  const folder = fileURLToPath(new URL('../../node_modules/.cache/newer-model/', import.meta.url));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const packed = await run('npm', ['pack', `${name}@${newest}`, '--silent'], {
      cwd: folder,
      timeout,
    });
    await run('tar', ['xzf', packed.stdout.trim()], { cwd: folder });
    const file = path.join(folder, 'package/dist-cjs/index.js');
    const newer = differences(model, await import(pathToFileURL(file).href));
    for (const line of newer) say(`${name} ${newest}, the newest, has another model: ${line}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
