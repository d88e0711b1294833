/**
 * The error of `Pairmint.open` if the store, its root key, a seed or the native addon cannot be
 * used. `message` says what is wrong; `hint` says what mends it, if that is known.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.hint = options.hint;
  }
}
