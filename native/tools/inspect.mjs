// Says what keeps a built Linux addon from loading where Node 20 runs, or what it leans on that
// other builds of Node do not have. Needs binutils and, for the OpenSSL names, Node's headers.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { nodeDirectory } from './install.mjs';

// The newest versions that Node 20's own binary asks for (Debian 10, Ubuntu 20.04, RHEL 8).
const floors = { GLIBC: '2.28', GLIBCXX: '3.4.21', CXXABI: '1.3.9' };

const exportsAllowed = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const librariesAllowed = /^(libstdc\+\+|libgcc_s|libm|libc|ld-linux[a-z0-9-]*)\.so\.\d+$/;

// Weak names that every toolchain leaves in a shared object.
const toolchain = /^(__gmon_start__|_ITM_(de)?registerTMCloneTable)$/;

const nodeApi = /^(napi|node_api|uv)_[a-z0-9_]+$/;

// Official Node exports these too, but they are OpenSSL's inside: Debian's and Windows' builds of
// Node lack them, and they change without notice.
const opensslInternal =
  /^(bn|ossl|rsaz|ec_GF|ecp_nistz|aesni|gcm|sha\d+_block)|^(RSAZ|CRYPTO_ctr128|CRYPTO_gcm128)_|^OPENSSL_(ia32|cpuid|atomic|rdtsc)/;

function readelf(file, ...options) {
  const { status, stdout, stderr, error } = spawnSync('readelf', ['--wide', ...options, file], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`readelf (package binutils): ${error?.message ?? stderr}`);
  return stdout;
}

/** The dynamic symbols of `file`: name, version and whether another library must define them. */
function symbols(file) {
  return readelf(file, '--dyn-syms')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => /^\d+:$/.test(words[0]) && words[7])
    .map((words) => {
      const [name, version] = words[7].split(/@+/);
      return { name, version, missing: words[6] === 'UND' };
    });
}

function isNewer(version, floor) {
  const [a, b] = [version, floor].map((text) => text.split('.').map(Number));
  const at = a.findIndex((part, i) => part !== (b[i] ?? 0));
  return at >= 0 && a[at] > (b[at] ?? 0);
}

/** Every word of OpenSSL's public headers as this Node ships them. */
function publicOpensslWords() {
  const include = path.join(nodeDirectory() ?? '/usr', 'include');
  const folder = ['node/openssl', 'openssl']
    .map((name) => path.join(include, name))
    .find((name) => existsSync(path.join(name, 'evp.h')));
  if (folder === undefined) throw new Error(`no OpenSSL headers below ${include}`);
  const texts = readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.h'))
    .map((file) => readFileSync(path.join(folder, file), 'utf8'));
  return new Set(texts.join('\n').match(/\b[A-Za-z]\w+_\w+\b/g));
}

function versionFault({ name, version }) {
  if (/^__\w+_chk$/.test(name)) return `${name} comes from FORTIFY, and musl does not have it`;
  const [library, number] = version.split('_');
  if (floors[library] === undefined) return `${name} has the unknown version ${version}`;
  if (!isNewer(number, floors[library])) return undefined;
  return `${name} needs ${version}, newer than ${library}_${floors[library]}`;
}

function missingFault({ name, version }, words) {
  if (version !== undefined) return undefined;
  if (toolchain.test(name) || nodeApi.test(name)) return undefined;
  if (opensslInternal.test(name)) return `${name} is internal to OpenSSL`;
  if (!words.has(name)) return `${name} is in no public header of Node or OpenSSL`;
  return undefined;
}

function linkFaults(file) {
  const dynamic = readelf(file, '--dynamic');
  const libraries = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  const faults = libraries
    .filter((name) => !librariesAllowed.test(name))
    .map((name) => `it needs ${name}`);
  // Without it a runtime that has no OpenSSL loads the addon and dies at the first call.
  if (!/BIND_NOW|\(FLAGS_1\).*\bNOW\b/.test(dynamic)) faults.push('it is not linked with -z now');
  if (/\((RPATH|RUNPATH)\)/.test(dynamic)) faults.push('it carries a path of the build machine');
  if (/GNU_STACK.*RWE/.test(readelf(file, '--segments'))) faults.push('its stack is executable');
  return faults;
}

function disassembly(file) {
  const { status, stdout, error } = spawnSync('objdump', ['--disassemble', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`objdump (package binutils): ${error?.message}`);
  return stdout;
}

// The first instruction of whatever may be jumped to indirectly (Intel CET, Arm BTI).
const landingPads = { x64: /\bendbr64\b/g, arm64: /\b(bti|paciasp)\b/g };

/** What of the compiler's protection is not in an addon for this processor. */
export function hardeningFaults(file) {
  const faults = [];
  const names = new Set(symbols(file).map(({ name }) => name));
  if (!names.has('__stack_chk_fail')) faults.push('it has no stack protector');
  const pad = landingPads[process.arch];
  const pads = pad && (disassembly(file).match(pad)?.length ?? 0);
  // One at every function whose address is taken; other libraries' parts have some.
  if (pads !== undefined && pads < 100) faults.push('its control flow is not protected');
  return faults;
}

/** What must not be in any addon that we link, one sentence each; empty when all is well. */
export function addonFaults(file) {
  const words = publicOpensslWords();
  const all = symbols(file);
  return [
    ...linkFaults(file),
    ...hardeningFaults(file),
    ...all
      .filter(({ name, missing }) => !missing && !exportsAllowed.includes(name))
      .map(({ name }) => `it exports ${name}`),
    ...all
      .filter(({ missing }) => missing)
      .map((symbol) => missingFault(symbol, words))
      .filter((fault) => fault !== undefined),
  ];
}

/**
 * What keeps the addon in `file` from loading on the oldest systems of Node 20. An addon that was
 * built for the machine it runs on may well ask for more.
 */
export function floorFaults(file) {
  return symbols(file)
    .filter(({ missing, version }) => missing && version !== undefined)
    .map(versionFault)
    .filter((fault) => fault !== undefined);
}

/**
 * What musl's loader cannot find for the addon in `file`; undefined if musl is not installed.
 * The names of Node, OpenSSL and libstdc++ are left out: Alpine's node brings those.
 */
export function muslFaults(file) {
  const loader = '/lib/ld-musl-x86_64.so.1';
  if (!existsSync(loader)) return undefined;
  const { stdout, stderr } = spawnSync(loader, ['--list', file], { encoding: 'utf8' });
  const words = publicOpensslWords();
  return [...`${stdout}${stderr}`.matchAll(/^Error relocating (.+): (\S+): symbol not found$/gm)]
    .filter(([, where]) => where === file)
    .map(([, , name]) => name)
    .filter((name) => !/^(_Z|__cxa_|__gxx_)/.test(name) && !nodeApi.test(name) && !words.has(name))
    .map((name) => `musl has no ${name}`);
}
