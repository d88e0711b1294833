import { type GlobalOption, globalOptions } from '../arguments/global-options.ts';
import { GeneralError, ParameterError } from '../errors.ts';
import { pythonRepr } from '../python/python-text.ts';

// The AWS CLI's complaints, in its words.

const choiceNames = { output: 'output type', binaryFormat: 'binary format' } as const;

/** Environment and configuration may name what the parser would not have let through. */
export function checkChoice(
  key: keyof typeof choiceNames,
  name: string | undefined,
  { isEmptyKnown }: { readonly isEmptyKnown: boolean } = { isEmptyKnown: true },
): string | undefined {
  const option: GlobalOption | undefined = globalOptions.find((option) => option.key === key);
  const { choices = [], unlistedChoices = [] } = option ?? {};
  const isNone = name === undefined || (name === '' && isEmptyKnown);
  if (!isNone && !choices.includes(name) && !unlistedChoices.includes(name)) {
    throw new GeneralError(`Unknown ${choiceNames[key]}: ${name}`);
  }
  return name || undefined;
}

export function checkEndpoint(url: string | undefined): void {
  if (url !== undefined && !/^[a-z][a-z0-9+.-]*:/i.test(url)) {
    throw new ParameterError(
      `Bad value for --endpoint-url "${url}": scheme is missing.  Must be of the form ` +
        'http://<hostname>/ or https://<hostname>/',
    );
  }
}

export function checkServer(url: string): string {
  // A URL of Node.js takes the path for the host if there is no host.
  if (!/^[^:]+:\/\/[^/?#]/.test(url) || !URL.canParse(url)) {
    throw new GeneralError(`Invalid endpoint: ${url}`);
  }
  const { protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') {
    const scheme = protocol.slice(0, -1);
    throw new GeneralError(
      `An HTTP Client raised an unhandled exception: Not supported URL scheme ${scheme}`,
    );
  }
  return url;
}

export function checkRegion(region: string | undefined): string | undefined {
  if (region && !/^(?!\d+$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/.test(region)) {
    throw new GeneralError(`Provided region_name '${region}' doesn't match a supported format.`);
  }
  return region;
}

export function checkRetryMode(mode: string | undefined): string {
  if (mode && mode !== 'standard' && mode !== 'adaptive') {
    throw new GeneralError(
      `Invalid value provided to "mode": "${mode}" must be one of: "standard" or "adaptive"`,
    );
  }
  return mode || 'standard';
}

export function checkTimeout(kind: string, seconds: number): number {
  if (seconds < 0) {
    throw new GeneralError(
      `Attempted to set ${kind} timeout to ${seconds}, but the timeout cannot be set to a value ` +
        'less than or equal to 0.',
    );
  }
  return seconds;
}

/** As Python's int(). */
export function readWhole(text: string): number {
  if (!/^\s*[+-]?\d+(?:_\d+)*\s*$/.test(text)) {
    throw new GeneralError(`invalid literal for int() with base 10: ${pythonRepr(text)}`);
  }
  return Number(text.trim().replaceAll('_', ''));
}

export function checkComplete(
  section: ReadonlyMap<string, string> | undefined,
  where: string,
): void {
  if (section?.get('aws_access_key_id') && !section.get('aws_secret_access_key')) {
    throw partialCredentials(where, 'aws_secret_access_key');
  }
}

export function partialCredentials(where: string, missing: string): GeneralError {
  return new GeneralError(`Partial credentials found in ${where}, missing: ${missing}`);
}

export function unknownProfile(name: string): GeneralError {
  return new GeneralError(`The config profile (${name}) could not be found`);
}
