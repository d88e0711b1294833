import { type Logger, pino, stdTimeFunctions } from 'pino';
import type { RequestEvent } from './handler.ts';

export type Log = Logger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof logLevels)[number];

const stderr = 2;

/**
 * Lines of JSON, on stderr or another file descriptor. They are written in batches: at most a
 * quarter of a second late, and lost if the process is killed.
 */
export function createLog(level: LogLevel, fd: number = stderr): Log {
  const destination = pino.destination({
    dest: fd,
    sync: false,
    minLength: 3072,
    // Processes that share a pipe do not cut each other's lines as long as a write is no longer
    // than PIPE_BUF (pipe(7)).
    maxWrite: 4096,
    periodicFlush: 250,
    // While the reader is stuck, lines are dropped: keeping them would fill the memory.
    maxLength: 16 * 1024 * 1024,
  });
  // Keep serving even if the disk is full or the reader went away.
  destination.on('error', () => {});
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

/**
 * Logs requests, one line each. The log never has anything that a client wrote: no header, body,
 * encryption context or error message, because messages quote what they refuse.
 */
export function requestLogger(log: Log): (event: RequestEvent) => void {
  return ({ requestId, operation, principal, status, error, milliseconds }) => {
    const isFault = status !== undefined && status >= 500;
    log[isFault ? 'warn' : 'info'](
      {
        requestId,
        operation,
        status,
        error: error?.name,
        milliseconds: Math.round(milliseconds * 1000) / 1000,
        principal,
        ...(isFault && { cause: causeOf(error?.cause) }),
      },
      status === undefined ? 'abandoned' : 'request',
    );
  };
}

/** The name, message, code and stack of an error and its causes; other members are left out. */
function causeOf(cause: unknown): object | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { name, message, stack, cause: deeper } = cause;
  const { code } = cause as { code?: unknown };
  return {
    name,
    message,
    ...(code !== undefined && { code: String(code) }),
    ...(stack !== undefined && { stack }),
    ...(deeper !== undefined && { cause: causeOf(deeper) }),
  };
}

/** Logs the process's warnings instead of printing them. */
export function logWarnings(log: Log): void {
  process.removeAllListeners('warning').on('warning', ({ name, message, ...warning }) => {
    const { code } = warning as { code?: string };
    log.warn({ warning: name, code }, message);
  });
}
