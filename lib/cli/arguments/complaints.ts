import type { TextSink } from '../context.ts';
import {
  exitCodes,
  GeneralError,
  InterruptedError,
  isConfigurationFailure,
  ParameterError,
  ServiceError,
  SettingsError,
  UnknownOptionsError,
  UsageError,
} from '../errors.ts';
import { usage } from './usage.ts';

interface Complaint {
  readonly exitCode: number;
  readonly text: string;
}

/** Tells the user what went wrong, without a stack trace, and returns the exit code for it. */
export function complain(error: unknown, stderr: TextSink): number {
  const { exitCode, text } = describe(error);
  stderr.write(text);
  return exitCode;
}

export function exitCodeOf(error: unknown): number {
  return describe(error).exitCode;
}

/** Complaints in the AWS CLI's words come after an empty line, as there; ours name the program. */
function describe(error: unknown): Complaint {
  if (error instanceof UsageError) {
    const text = `\n${usage}\npairmint: error: ${error.message}\n\n`;
    return { exitCode: exitCodes.parameters, text };
  }
  if (error instanceof UnknownOptionsError) {
    return { exitCode: exitCodes.parameters, text: `\n${usage}\n${error.message}\n\n` };
  }
  if (error instanceof ParameterError) {
    return { exitCode: exitCodes.parameters, text: `\n${error.message}\n` };
  }
  if (error instanceof ServiceError) {
    return { exitCode: exitCodes.service, text: `\n${error.message}\n` };
  }
  if (error instanceof SettingsError) {
    return { exitCode: exitCodes.configuration, text: `\n${error.message}\n` };
  }
  if (error instanceof GeneralError) {
    return { exitCode: exitCodes.general, text: `\n${error.message}\n` };
  }
  if (error instanceof InterruptedError) return { exitCode: exitCodes.interrupted, text: '\n' };
  return isConfigurationFailure(error)
    ? configurationComplaint(error)
    : { exitCode: exitCodes.general, text: `${internalFailure(error)}\n` };
}

function configurationComplaint({ message, hint }: { message: string; hint?: string }): Complaint {
  const lines = [`pairmint: ${message}`, ...(hint === undefined ? [] : [hint])];
  return { exitCode: exitCodes.configuration, text: `${lines.join('\n')}\n` };
}

/** One line, so that no stack trace can hide in it. */
export function internalFailure(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const [firstLine = ''] = message.split(/[\r\n]/, 1);
  return `pairmint: internal failure: ${firstLine}`;
}
