// Reads what the object verbs need of ~/.aws/config and ~/.aws/credentials: region, endpoint and
// addressing style of a profile. Format: AWS CLI user guide, "Configuration and credential file
// settings". Keys themselves are left to the SDK, which knows single sign-on, roles and processes.

export interface AwsProfile {
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** "path", "virtual", "auto" or undefined. */
  readonly addressing: string | undefined;
  /** Whether either file has the profile. */
  readonly known: boolean;
}

type Settings = ReadonlyMap<string, string>;

/** `config` and `credentials`: the texts of the two files, empty where there is none. */
export function readProfile(config: string, credentials: string, name: string): AwsProfile {
  const sections = parseSections(config);
  const settings =
    sections.get(`profile ${name}`) ?? (name === "default" ? sections.get("default") : undefined);
  const keys = parseSections(credentials).get(name);
  const services = sections.get(`services ${settings?.get("services") ?? ""}`);
  return {
    region: settings?.get("region") ?? keys?.get("region"),
    endpoint:
      services?.get("s3.endpoint_url") ??
      settings?.get("endpoint_url") ??
      keys?.get("endpoint_url"),
    addressing: settings?.get("s3.addressing_style"),
    known: settings !== undefined || keys !== undefined,
  };
}

/**
 * Sections by their header, settings by name; a setting nested under another, as `endpoint_url`
 * under `s3 =`, is called `s3.endpoint_url`. Lines that are no settings are passed over, as the AWS
 * CLI does.
 */
export function parseSections(text: string): ReadonlyMap<string, Settings> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let parent = "";
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:[#;].*)?$/.test(line)) continue;
    const header = /^\[([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) {
      const title = header.trim().replaceAll(/\s+/g, " ").replaceAll('"', "");
      section = sections.get(title) ?? new Map<string, string>();
      sections.set(title, section);
      parent = "";
      continue;
    }
    const setting = /^(\s*)([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (setting === null) continue;
    const [, indent = "", name = "", value = ""] = setting;
    if (indent === "") parent = value === "" ? name : "";
    section.set(indent !== "" && parent !== "" ? `${parent}.${name}` : name, value);
  }
  return sections;
}
