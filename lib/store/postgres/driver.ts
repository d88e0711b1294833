import { ConfigurationError } from '../../core/configuration-error.ts';

export type SqlValue = string | number | boolean | Uint8Array | null | readonly SqlValue[];
export type Row = Readonly<Record<string, unknown>>;

export interface Statement {
  readonly text: string;
  readonly values?: readonly SqlValue[];
}

/** What the store needs of `Client` in the package pg. */
export interface Client {
  connect(): Promise<unknown>;
  query(statement: Statement): Promise<{ readonly rows: Row[] }>;
  end(): Promise<void>;
  on(event: 'error' | 'end', listener: () => void): unknown;
  readonly connection: { readonly stream: { destroy(): void } };
}

export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: () => Promise<string>;
  readonly ssl: object | false;
  readonly application_name: string;
  readonly connectionTimeoutMillis: number;
  readonly keepAlive: boolean;
}

export interface Driver {
  readonly Client: new (options: ClientOptions) => Client;
}

/** The package pg. @throws ConfigurationError if it is not installed */
export async function loadDriver(
  load: () => Promise<unknown> = () => import(packageName),
): Promise<Driver> {
  try {
    const loaded = (await load()) as { default?: Driver } & Driver;
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new ConfigurationError('a postgres: store needs the package pg, which is missing', {
      hint: 'npm install pg',
      cause,
    });
  }
}

// A variable, so that neither the compiler nor a bundler asks for an optional package.
const packageName: string = 'pg';
