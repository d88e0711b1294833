import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { GeneralError } from './errors.ts';

/** A section's settings. Those of a subsection are named `kms.endpoint_url`. */
export type Section = ReadonlyMap<string, string>;

/** What AWS's two configuration files say of one profile. */
export interface Profile {
  readonly name: string;
  readonly config: Section;
  readonly credentials: Section;
  /** The section that `services` of the profile names. */
  readonly services: Section;
}

const nothing: Section = new Map();

/**
 * Reads the profile `name` from the files that the AWS CLI reads. Undefined where there is none of
 * that name.
 *
 * Not with the SDK's own loader, which takes half as long to load as Node.js to start and leaves out
 * what is set to nothing, as in `cli_pager=`. Credentials are the SDK's matter.
 *
 * @throws GeneralError where a file is not of its form
 */
export function readProfile(name: string, env: NodeJS.ProcessEnv): Profile | undefined {
  const home = env.HOME || homedir();
  const config = readSections(env.AWS_CONFIG_FILE || path.join(home, '.aws', 'config'), home);
  const own =
    config.get(name === 'default' ? name : `profile ${name}`) ?? config.get(`profile ${name}`);
  const credentials = readSections(
    env.AWS_SHARED_CREDENTIALS_FILE || path.join(home, '.aws', 'credentials'),
    home,
  ).get(name);
  if (own === undefined && credentials === undefined) {
    return undefined;
  }
  return {
    name,
    config: own ?? nothing,
    credentials: credentials ?? nothing,
    services: config.get(`services ${own?.get('services')}`) ?? nothing,
  };
}

/** A setting of the profile, of whichever file; that of the credentials counts first. */
export function setting(profile: Profile | undefined, name: string): string | undefined {
  return profile?.credentials.get(name) ?? profile?.config.get(name);
}

function readSections(given: string, home: string): ReadonlyMap<string, Section> {
  const file = given.replace(/^~(?=\/|$)/, home);
  return existsSync(file) ? parseSections(readFileSync(file, 'utf8'), file) : new Map();
}

/** Comments have lines of their own; indented lines belong to the setting above them. */
function parseSections(text: string, file: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let above = '';
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:[#;].*)?$/.test(line)) continue;
    const [, title] = /^\[([^\]]+)\]/.exec(line) ?? [];
    if (title !== undefined) {
      section = sections.get(nameOf(title)) ?? new Map();
      sections.set(nameOf(title), section);
      continue;
    }
    const [, indent = '', key = '', value = ''] =
      /^(\s*)([^=:]+?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === undefined || key === '') {
      throw new GeneralError(`Unable to parse config file: ${file}`);
    }
    if (indent === '') above = key.toLowerCase();
    section.set(indent === '' ? above : `${above}.${key.toLowerCase()}`, value);
  }
  return sections;
}

/** `profile "a b"` is the profile `a b`. */
function nameOf(title: string): string {
  return title.trim().replace(/^(profile|services)\s+(["']?)(.*)\2$/, '$1 $3');
}
