// The files of a drop or of a file dialog, folders with all below them, each with its path.
export interface PickedFile {
  /** Relative to what was picked: "photos/may/1.jpg". */
  readonly path: string;
  readonly file: File;
}

export function filesOfInput(input: HTMLInputElement): PickedFile[] {
  return [...(input.files ?? [])].map((file) => ({
    path: file.webkitRelativePath === "" ? file.name : file.webkitRelativePath,
    file,
  }));
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader gives an unsaid number of entries at a time, and none at the end. */
function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function collect(entry: FileSystemEntry, into: PickedFile[]): Promise<void> {
  if (entry instanceof FileSystemFileEntry) {
    into.push({ path: entry.fullPath.replace(/^\//, ""), file: await fileOf(entry) });
    return;
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return;
  const reader = entry.createReader();
  for (let page = await entriesOf(reader); page.length > 0; page = await entriesOf(reader)) {
    for (const below of page) await collect(below, into);
  }
}

/** Call it in the event itself: afterwards the browser has taken the entries away. */
export async function filesOfDrop(transfer: DataTransfer | null): Promise<PickedFile[]> {
  if (transfer === null) return [];
  const entries = [...transfer.items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    return entry === null ? [] : [entry];
  });
  const plain = [...transfer.files];
  if (entries.length === 0) return plain.map((file) => ({ path: file.name, file }));
  const files: PickedFile[] = [];
  for (const entry of entries) await collect(entry, files);
  return files;
}
