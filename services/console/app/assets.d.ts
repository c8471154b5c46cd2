// Files that the build puts beside the scripts: importing one gives its name in the built folder.
declare module "*.svg" {
  const name: string;
  // biome-ignore lint/style/noDefaultExport: what the build gives
  export default name;
}
