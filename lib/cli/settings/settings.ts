import type { ParsedArguments } from '../arguments/argument-parser.ts';
import type { GlobalKey } from '../arguments/global-options.ts';
import type { BinaryFormat } from '../arguments/request-checks.ts';
import { GeneralError, SettingsError } from '../errors.ts';
import type { OutputFormat } from '../output/output.ts';
import type { Query } from '../output/query.ts';
import type { TimestampFormat } from '../output/timestamps.ts';
import { type Profile, readProfile, setting } from './aws-config.ts';
import {
  checkChoice,
  checkComplete,
  checkEndpoint,
  checkRegion,
  checkRetryMode,
  checkServer,
  checkTimeout,
  partialCredentials,
  readWhole,
  unknownProfile,
} from './setting-checks.ts';

/** The settings of requests to a server. */
export interface Remote {
  readonly endpointUrl: string;
  readonly region: string;
  readonly profile: string | undefined;
  /** The environment's credentials, if they count; otherwise the SDK looks for some. */
  readonly credentials: Credentials | undefined;
  readonly signRequest: boolean;
  readonly verifySsl: boolean;
  readonly caBundle: string | undefined;
  /** In seconds, 0 for ever. */
  readonly readTimeout: number;
  readonly connectTimeout: number;
  readonly maxAttempts: number;
  readonly retryMode: string;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * What the global options, the environment and AWS's configuration files say together, the first of
 * them that says anything.
 */
export class Settings {
  readonly query: Query | undefined;
  readonly #given: ParsedArguments['given'];
  readonly #env: NodeJS.ProcessEnv;
  readonly #timeouts: { readonly read: number; readonly connect: number };
  #profile: Profile | undefined;
  #isProfileRead = false;

  private constructor(
    given: ParsedArguments['given'],
    env: NodeJS.ProcessEnv,
    query: Query | undefined,
  ) {
    this.#given = given;
    this.#env = env;
    this.query = query;
    checkEndpoint(this.#text('endpointUrl'));
    this.#timeouts = {
      read: readWhole(this.#text('readTimeout') ?? '60'),
      connect: readWhole(this.#text('connectTimeout') ?? '60'),
    };
  }

  /**
   * Checks what the options alone tell.
   *
   * @throws ParameterError, GeneralError as the AWS CLI divides them
   */
  static async read(given: ParsedArguments['given'], env: NodeJS.ProcessEnv): Promise<Settings> {
    const text = given.get('query');
    const query =
      typeof text === 'string' ? (await import('../output/query.ts')).parseQuery(text) : undefined;
    return new Settings(given, env, query);
  }

  get color(): 'on' | 'off' | 'auto' {
    return (this.#text('color') ?? 'auto') as 'on' | 'off' | 'auto';
  }

  get paginate(): boolean {
    return this.#given.get('paginate') !== false;
  }

  get output(): OutputFormat {
    const name = this.#text('output') ?? (this.#env.AWS_DEFAULT_OUTPUT || this.#setting('output'));
    return (checkChoice('output', name) ?? 'json') as OutputFormat;
  }

  get binaryFormat(): BinaryFormat {
    const name = this.#text('binaryFormat') ?? this.#setting('cli_binary_format') ?? 'base64';
    // The empty name is an unknown format, as for the AWS CLI.
    return checkChoice('binaryFormat', name, { isEmptyKnown: false }) as BinaryFormat;
  }

  /** Whether requests are checked before they are sent. */
  get validates(): boolean {
    return (this.#setting('parameter_validation') ?? 'true').toLowerCase() === 'true';
  }

  get timestampFormat(): TimestampFormat {
    return (this.#setting('cli_timestamp_format') ?? 'iso8601') as TimestampFormat;
  }

  /**
   * @throws SettingsError if the configuration names an unknown format; called before other checks
   */
  checkTimestampFormat(): void {
    const name: string = this.timestampFormat;
    if (name === 'wire' || name === 'iso8601') return;
    throw new SettingsError(
      `Unknown cli_timestamp_format value: ${name}, valid values are "wire" or "iso8601"`,
    );
  }

  /** The pager's command line; nothing for none. */
  get pager(): string {
    if (this.#given.get('pager') === false) return '';
    return this.#env.AWS_PAGER ?? this.#setting('cli_pager') ?? this.#env.PAGER ?? 'less';
  }

  /**
   * The region of a request to the local store, if the command line names one. Regions set in the
   * environment are most likely meant for AWS, and would hide the store's own keys.
   */
  get localRegion(): string | undefined {
    const named = this.#given.has('profile') ? setting(this.#readProfile(), 'region') : undefined;
    return checkRegion(this.#text('region') ?? named);
  }

  get isEndpointGiven(): boolean {
    return this.#given.has('endpointUrl');
  }

  /** The server that requests go to; undefined for the local store. */
  get endpointUrl(): string | undefined {
    const given = this.#text('endpointUrl');
    if (given !== undefined) return given;
    const { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: ignore } = this.#env;
    if ((ignore || this.#setting('ignore_configured_endpoint_urls'))?.toLowerCase() === 'true') {
      return undefined;
    }
    return (
      this.#env.AWS_ENDPOINT_URL_KMS ||
      this.#env.AWS_ENDPOINT_URL ||
      this.#service('kms.endpoint_url') ||
      this.#setting('endpoint_url') ||
      undefined
    );
  }

  #service(name: string): string | undefined {
    const profile = this.#readProfile();
    const named = setting(profile, 'services');
    if (profile === undefined || named === undefined) return undefined;
    if (profile.services === undefined) {
      throw new GeneralError(
        `The profile is configured to use the services section but the "${named}" services ` +
          'configuration does not exist.',
      );
    }
    return profile.services.get(name);
  }

  /** The settings of requests to `endpointUrl`. @throws as the AWS CLI, in its order */
  remote(endpointUrl: string): Remote {
    const profile = this.#readProfile();
    if (profile === undefined && this.#profileName !== undefined) {
      throw unknownProfile(this.#profileName);
    }
    const signRequest = this.#given.get('signRequest') !== false;
    const credentials = signRequest ? this.#credentials(profile) : undefined;
    const region = checkRegion(
      this.#text('region') ??
        (this.#env.AWS_REGION || this.#env.AWS_DEFAULT_REGION || this.#setting('region')),
    );
    // As for the AWS CLI, an empty one on the command line is one.
    if (!region && this.#text('region') === undefined) {
      throw new SettingsError(
        'You must specify a region. You can also configure your region by running "aws configure".',
      );
    }
    return {
      endpointUrl: checkServer(endpointUrl),
      region: region ?? '',
      profile: this.#profileName,
      credentials,
      signRequest,
      verifySsl: this.#given.get('verifySsl') !== false,
      caBundle: this.#text('caBundle') ?? (this.#env.AWS_CA_BUNDLE || this.#setting('ca_bundle')),
      readTimeout: checkTimeout('read', this.#timeouts.read),
      connectTimeout: checkTimeout('connect', this.#timeouts.connect),
      maxAttempts: readWhole(this.#env.AWS_MAX_ATTEMPTS || this.#setting('max_attempts') || '3'),
      retryMode: checkRetryMode(this.#env.AWS_RETRY_MODE || this.#setting('retry_mode')),
    };
  }

  /** @throws GeneralError if the command line names a profile that does not exist */
  checkProfile(): void {
    const name = this.#text('profile');
    if (name !== undefined && this.#readProfile() === undefined) throw unknownProfile(name);
  }

  get #profileName(): string | undefined {
    const { AWS_PROFILE, AWS_DEFAULT_PROFILE } = this.#env;
    return this.#text('profile') ?? (AWS_PROFILE || AWS_DEFAULT_PROFILE || undefined);
  }

  #readProfile(): Profile | undefined {
    if (!this.#isProfileRead) {
      this.#profile = readProfile(this.#profileName ?? 'default', this.#env);
      this.#isProfileRead = true;
    }
    return this.#profile;
  }

  #setting(name: string): string | undefined {
    return setting(this.#readProfile(), name);
  }

  /** A profile on the command line beats credentials in the environment, one in it does not. */
  #credentials(profile: Profile | undefined): Credentials | undefined {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = this.#env;
    if (AWS_ACCESS_KEY_ID && !this.#given.has('profile')) {
      if (!AWS_SECRET_ACCESS_KEY) throw partialCredentials('env', 'AWS_SECRET_ACCESS_KEY');
      return {
        accessKeyId: AWS_ACCESS_KEY_ID,
        secretAccessKey: AWS_SECRET_ACCESS_KEY,
        ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
      };
    }
    checkComplete(profile?.credentials, 'shared-credentials-file');
    checkComplete(profile?.config, 'config-file');
    return undefined;
  }

  #text(key: GlobalKey): string | undefined {
    return this.#given.get(key) as string | undefined;
  }
}
