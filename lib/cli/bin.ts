#!/usr/bin/env node
import { internalFailure } from './arguments/complaints.ts';
import type { Context } from './context.ts';
import { exitCodes } from './errors.ts';
import { main } from './main.ts';
import { StreamSink } from './output/stream-sink.ts';

const stdout = new StreamSink(process.stdout);
const stderr = new StreamSink(process.stderr);

process.on('SIGINT', () => {
  // A command that stops in its own way listens, too.
  if (process.listenerCount('SIGINT') > 1) return;
  process.stderr.write('\n');
  process.exit(exitCodes.interrupted);
});
process.on('uncaughtException', (error) => {
  process.stderr.write(`${internalFailure(error)}\n`);
  process.exit(exitCodes.general);
});

const open: Context['open'] = async (options) => {
  const { Pairmint } = await import('../service/pairmint.ts');
  return Pairmint.open(options);
};

const { env } = process;
const exitCode = await main(process.argv.slice(2), { stdout, stderr, env, open });
const failure = await stdout.flush();
if (failure !== undefined) stderr.write(`pairmint: cannot write the output: ${failure.message}\n`);
await stderr.flush();
process.exit(failure === undefined ? exitCode : exitCodes.general);
