// The attacks on a store of test/store/attacks in their long forms, of some hours: `npm run soak`, or
// node test/soak/attack-soak.mjs [name of a test file]. Whatever is in the environment already stays, such
// as PAIRMINT_ATTACK_NODES, other builds of Node.js to end threads of, separated by colons.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const long = {
  // Openers and visitors beside committers and takers.
  PAIRMINT_ATTACK_SECONDS: '1800',
  PAIRMINT_ATTACK_KILLS: '1000',
  PAIRMINT_ATTACK_STOPS: '100',
  // Threads terminated, threads that call process.exit, and a third as many processes.
  PAIRMINT_ATTACK_ENDINGS: '300',
  // Of a disk that fails for a while, besides each single write and sync.
  PAIRMINT_ATTACK_ROUNDS: '100',
  PAIRMINT_ATTACK_BYTES: 'all',
};
const args = ['run', '--config', 'test/vitest.config.ts', '--root', '.', '--no-file-parallelism'];
const [files = 'test/store/attacks/'] = process.argv.slice(2);
const vitest = spawn('npx', ['vitest', ...args, files], {
  cwd: root,
  stdio: 'inherit',
  env: { ...long, ...process.env },
});
const [code] = await once(vitest, 'close');
process.exit(code ?? 1);
