/** Exit codes of AWS CLI version 2. */
export const exitCodes = {
  success: 0,
  parameters: 252,
  configuration: 253,
  service: 254,
  general: 255,
  interrupted: 130,
} as const;

/** A command that is not written as the program expects: answered with the usage block. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Options, and words among them, that a command does not have. */
export class UnknownOptionsError extends Error {
  override readonly name = 'UnknownOptionsError';

  constructor(words: readonly string[]) {
    super(`Unknown options: ${words.join(', ')}`);
  }
}

/** A request that can be refused without being made. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
}

/** A request that the service refused, in the AWS CLI's words. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';

  constructor(operation: string, failure: ServiceFailure) {
    const { name, message, retries } = failure;
    const tries = retries === undefined ? '' : ` (reached max retries: ${retries})`;
    super(
      `An error occurred (${name}) when calling the ${operation} operation${tries}: ${message}`,
      {
        cause: failure,
      },
    );
  }
}

/** A setting that a request to a server needs is missing: the region or the credentials. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** A failure that has the AWS CLI's general exit code rather than the one for parameters. */
export class GeneralError extends Error {
  override readonly name = 'GeneralError';
}

/** A question that the user answered with Ctrl-C. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** A parameter's value that cannot be understood. */
export function cannotParse(option: string, why: string): ParameterError {
  return new ParameterError(`Error parsing parameter '${option}': ${why}`);
}

export interface ServiceFailure {
  readonly name: string;
  readonly message: string;
  readonly $fault: string;
  /** How often the request was retried before it was given up. */
  readonly retries?: number;
}

/** A refusal by the service. Recognised by its form, so that it may come from any door. */
export function isServiceFailure(error: unknown): error is ServiceFailure {
  return error instanceof Error && '$fault' in error;
}

export interface ConfigurationFailure {
  readonly message: string;
  readonly hint?: string;
}

/** A store, root key or addon that cannot be used as things are. */
export function isConfigurationFailure(error: unknown): error is ConfigurationFailure {
  return error instanceof Error && error.name === 'ConfigurationError';
}
