import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  arrowsOf,
  circlesOf,
  floorsOf,
  type ImportGraph,
  nativeIncludes,
  sourceFiles,
  typeScriptImports,
  upwardArrows,
} from './support/import-graph.ts';

const map = readFileSync('docs/architecture.md', 'utf8');
const libFloors = floorsOf(map, 'The floors of lib');
const cliFloors = floorsOf(map, 'The rooms of lib/cli');
const nativeFloors = floorsOf(map, 'The floors of native');
const lib = typeScriptImports('lib');
const native = nativeIncludes('native');

const longestFile = 450;
const generated = ['lib/model/shapes.ts', 'lib/model/types.ts'];
const doors = ['http', 'cli', 'aws-sdk'];
// `pairmint serve` starts the HTTP door, and aws-sdk is that door without sockets.
const betweenDoors: Readonly<Record<string, readonly string[]>> = {
  cli: ['lib/http/serving.ts'],
  'aws-sdk': ['lib/http/handler.ts', 'lib/http/service.ts'],
};

const libRoom = (file: string) => /^lib\/([^/]+)/.exec(file)?.[1] ?? file;
const cliRoom = (file: string) => /^lib\/cli\/([^/]+)/.exec(file)?.[1];
const nativeRoom = (file: string) => /^native\/([^/]+)\//.exec(file)?.[1];

/** Arrows from a door to anything but itself, the service, the model and core. */
function pastTheService(graph: ImportGraph) {
  return arrowsOf(graph).filter(({ from, to }) => {
    const door = libRoom(from);
    const allowed = [door, 'service', 'model', 'core'];
    const isAllowed = allowed.includes(libRoom(to)) || betweenDoors[door]?.includes(to);
    return doors.includes(door) && !isAllowed;
  });
}

function outsideTheAddon(graph: ImportGraph) {
  return arrowsOf(graph).filter(
    ({ from, to }) => to === 'napi.h' && !from.startsWith('native/addon/'),
  );
}

describe('the map', () => {
  it.each([
    ['lib', libFloors],
    ['lib/cli', cliFloors],
    ['native', nativeFloors],
  ] as const)('names every room of %s once', (folder, floors) => {
    const entries = readdirSync(folder, { withFileTypes: true });
    const rooms = entries.filter(
      (entry) => entry.name.endsWith('.ts') || (entry.isDirectory() && entry.name !== 'tools'),
    );
    const names = rooms.map(({ name }) => name);
    expect(floors.flat().sort()).toEqual(names.sort());
  });
});

/** The files of the project that a page names, in the form `lib/store/open-store.ts`. */
function namedFiles(page: string): string[] {
  const pattern = /`((?:lib|native|test)\/[\w./-]+\.(?:ts|cc|h|json|gypi|mjs|txt))`/g;
  return [...page.matchAll(pattern)].map(([, file = '']) => file);
}

describe('the pages for developers', () => {
  it.each(['docs/architecture.md', 'CONTRIBUTING.md'])('name files that are there: %s', (page) => {
    const files = namedFiles(readFileSync(page, 'utf8'));
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
    expect(files).not.toEqual([]);
  });
});

describe('lib', () => {
  it('has no circle of imports, types and dynamic imports counted', () => {
    expect(circlesOf(lib)).toEqual([]);
  });

  it('has no import of a higher floor or of a neighbour', () => {
    expect(upwardArrows(lib, { floors: libFloors, roomOf: libRoom })).toEqual([]);
  });

  it('has no import of a higher room in its command line', () => {
    expect(upwardArrows(lib, { floors: cliFloors, roomOf: cliRoom })).toEqual([]);
  });

  it('has doors that import the service, the model and core alone', () => {
    expect(pastTheService(lib)).toEqual([]);
  });

  it('parses the arguments of a command in one file', () => {
    const callers = sourceFiles('lib/cli', /\.ts$/).filter((file) =>
      /\b(parseKnown|takeSubcommand)\b/.test(readFileSync(file, 'utf8')),
    );
    expect(callers).toEqual(['lib/cli/arguments/argument-parser.ts', 'lib/cli/command-line.ts']);
  });

  it('has no file loose but what npm sees', () => {
    expect(sourceFiles('lib', /^[^/]+\.[^/]+$/)).toEqual(['lib/index.ts', 'lib/server.ts']);
  });

  it.each(sourceFiles('lib', /\.(ts|mjs)$/).filter((file) => !generated.includes(file)))(
    'is written in files that fit a head: %s',
    (file) => {
      const lines = readFileSync(file, 'utf8').split('\n').length - 1;
      expect(lines).toBeLessThanOrEqual(longestFile);
    },
  );
});

// A kernel of RSA is one file, which includes its contract and intrinsics alone.
const kernels = ['native/mont/avx2.cc', 'native/mont/avx512ifma.cc'];

describe('native code', () => {
  it.each(sourceFiles('native', /\.(cc|h|mjs)$/).filter((file) => !kernels.includes(file)))(
    'is written in files that fit a head: %s',
    (file) => {
      const lines = readFileSync(file, 'utf8').split('\n').length - 1;
      expect(lines).toBeLessThanOrEqual(longestFile);
    },
  );

  it('has no circle of includes', () => {
    expect(circlesOf(native)).toEqual([]);
  });

  it('has no include of a higher floor or of a neighbour', () => {
    expect(upwardArrows(native, { floors: nativeFloors, roomOf: nativeRoom })).toEqual([]);
  });

  it('knows Node.js in native/addon alone', () => {
    expect(outsideTheAddon(native)).toEqual([]);
    expect(arrowsOf(native).some(({ to }) => to === 'napi.h')).toBe(true);
  });
});

describe('a planted fault', () => {
  it('is found: a circle', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(circlesOf(graph)).toEqual([['b', 'c']]);
    expect(circlesOf(new Map([...lib, ['lib/core/x.ts', ['lib/core/x.ts']]]))).toHaveLength(1);
  });

  it('is found: an import of a higher floor, and of a neighbour', () => {
    const graph = new Map([
      ['lib/store/x.ts', ['lib/keys/y.ts', 'lib/policy/z.ts', 'lib/core/fine.ts']],
    ]);
    const arrows = upwardArrows(graph, { floors: libFloors, roomOf: libRoom });
    expect(arrows.map(({ to }) => to)).toEqual(['lib/keys/y.ts', 'lib/policy/z.ts']);
  });

  it('is found: a door that reaches past the service', () => {
    const graph = new Map([['lib/http/x.ts', ['lib/keys/y.ts', 'lib/service/z.ts']]]);
    expect(pastTheService(graph)).toEqual([{ from: 'lib/http/x.ts', to: 'lib/keys/y.ts' }]);
  });

  it('is found: a file that is not there', () => {
    const files = namedFiles('`lib/index.ts`, `lib/model/` and `native/gone.cc`');
    expect(files).toEqual(['lib/index.ts', 'native/gone.cc']);
    expect(files.filter((file) => !existsSync(file))).toEqual(['native/gone.cc']);
  });

  it('is found: napi.h outside the addon', () => {
    const graph = new Map([['native/rsa/x.cc', ['napi.h']]]);
    expect(outsideTheAddon(graph)).toHaveLength(1);
  });
});
