// Committers and takers of one store, killed at random moments.
import { setTimeout as pause } from 'node:timers/promises';
import { childrenOf, judge, makeStore, spec, start } from './attacks.mjs';

/**
 * Kills processes until there were so many kills, and judges what they had acknowledged.
 *
 * @param {{ folder: string, kills: number, onRound?: (kills: number) => void }} options
 */
export async function killMany({ folder, kills, onRound = (_kills) => {} }) {
  const KeyId = await makeStore(folder);
  const tasks = [['commit'], ['take', KeyId, spec], ['fill', KeyId, spec], ['commit']];
  const lines = [];
  let processesKilled = 0;
  let enginesKilled = 0;
  while (enginesKilled + processesKilled < kills) {
    const running = tasks.map((task) => start(folder, task));
    for (const process of running) {
      await process.said(/^READY/);
      if (process.task[0] !== 'fill') await process.said(/^[KP] /);
    }
    // If the engine is a process, that process is in the middle of a write.
    for (let i = 0; i < 6; i++) {
      await pause(80 * Math.random());
      const engines = running.flatMap(({ pid }) => childrenOf(pid));
      if (engines.length === 0) break;
      if (endNow(engines[Math.floor(engines.length * Math.random())])) enginesKilled++;
    }
    for (const process of running) {
      await pause(40 * Math.random());
      await process.kill();
      lines.push(...process.lines);
    }
    processesKilled += running.length;
    onRound(enginesKilled + processesKilled);
  }
  return { processesKilled, enginesKilled, lines, ...(await judge(folder, lines)) };
}

/** Whether there was such a process to kill: an engine ends by itself with the one that it works for. */
function endNow(pid) {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
    return false;
  }
}
