// One place of a bucket: where we are, what is there, and what can be done with it. Names are shown
// as text only, whatever they are.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { bytesText, countText, keyText, timeText } from "../format.ts";
import type { ListedObject } from "../s3.ts";
import { attempt, go, link, place } from "../state.ts";
import { Button, Check, Failure, Field, Icon } from "../ui.tsx";
import { filesOfDrop, filesOfInput } from "../upload/dropped-files.ts";
import { uploads } from "../upload/queue.ts";
import { Act, type Acting } from "./act.tsx";
import { downloadZip } from "./download.ts";
import { idOf, Listing } from "./listing.ts";
import { VirtualList } from "./virtual-list.tsx";

function Crumbs(props: { readonly bucket: string; readonly folder: string }): JSX.Element {
  const steps = props.folder.split("/").slice(0, -1);
  return (
    <nav aria-label="Where you are">
      <ol class="crumbs">
        <li>
          <a href={link("buckets")}>Buckets</a>
        </li>
        <li>
          <a href={link("b", [props.bucket])}>{props.bucket}</a>
        </li>
        {steps.map((step, at) => {
          const prefix = `${steps.slice(0, at + 1).join("/")}/`;
          return (
            <li key={prefix}>
              <a href={link("b", [props.bucket], { prefix })}>
                {step === "" ? "‹empty›" : keyText(step)}
              </a>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

function UploadButtons({ bucket, folder }: { bucket: string; folder: string }): JSX.Element {
  const files = useRef<HTMLInputElement>(null);
  const folders = useRef<HTMLInputElement>(null);
  useEffect(() => {
    folders.current?.setAttribute("webkitdirectory", "");
  }, []);
  const take = (input: HTMLInputElement): void => {
    uploads.add(bucket, folder, filesOfInput(input));
    input.value = "";
  };
  const shared = {
    type: "file",
    multiple: true,
    hidden: true,
    onChange: (event: { readonly currentTarget: HTMLInputElement }) => take(event.currentTarget),
  } as const;
  return (
    <>
      <input {...shared} ref={files} aria-label="Files to upload" data-pick="files" />
      <input {...shared} ref={folders} aria-label="Folder to upload" data-pick="folder" />
      <Button kind="main" onClick={() => files.current?.click()}>
        <Icon name="up" /> Upload files
      </Button>
      <Button onClick={() => folders.current?.click()}>Upload folder</Button>
    </>
  );
}

function Row(props: {
  readonly item: ListedObject;
  readonly listing: Listing;
  readonly onOpen: () => void;
  readonly onActions: () => void;
}): JSX.Element {
  const { item, listing } = props;
  const { bucket, folder, withVersions } = listing.place;
  const shown = keyText(item.key.slice(folder.length)) || "‹this folder›";
  return (
    <>
      <div role="gridcell" class="pick">
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Pick ${shown}`}
          checked={listing.isPicked(item)}
          onChange={() => listing.pick(item)}
        />
      </div>
      <div role="gridcell" class="name">
        <Icon name={item.isFolder ? "folder" : "file"} />
        {item.isFolder ? (
          <a tabIndex={-1} href={link("b", [bucket], { prefix: item.key })}>
            {shown}
          </a>
        ) : (
          <a
            tabIndex={-1}
            href={link("b", [bucket], { prefix: folder })}
            class={item.isMarker === true ? "deleted" : ""}
            onClick={(event) => {
              event.preventDefault();
              props.onOpen();
            }}
          >
            {shown}
          </a>
        )}
      </div>
      {withVersions ? (
        <div role="gridcell" class="mono" title={item.versionId}>
          {item.isMarker === true ? <span class="pill warn">delete marker</span> : null}{" "}
          {item.isLatest === true ? <span class="pill">latest</span> : null} {item.versionId ?? ""}
        </div>
      ) : null}
      <div role="gridcell" class="number">
        {item.isFolder || item.isMarker === true ? "" : bytesText(item.size)}
      </div>
      <div role="gridcell">{item.isFolder ? "" : timeText(item.modified)}</div>
      <div role="gridcell">
        <Button kind="quiet" label={`Actions for ${shown}`} onClick={props.onActions}>
          <Icon name="more" />
        </Button>
      </div>
    </>
  );
}

function Head({ listing }: { readonly listing: Listing }): JSX.Element {
  const { items, picked } = listing;
  return (
    <>
      <div role="columnheader" class="pick">
        <input
          type="checkbox"
          aria-label="Pick all that is loaded"
          checked={items.value.length > 0 && picked.value.size === items.value.length}
          onChange={() => listing.pickAll()}
        />
      </div>
      <div role="columnheader">Name</div>
      {listing.place.withVersions ? <div role="columnheader">Version</div> : null}
      <div role="columnheader" class="number">
        Size
      </div>
      <div role="columnheader">Changed</div>
      <div role="columnheader">
        <span class="hidden">Actions</span>
      </div>
    </>
  );
}

function Tools(props: {
  readonly listing: Listing;
  readonly zipBytes: number;
  readonly onAct: (acting: Acting) => void;
  readonly onZip: () => Promise<void>;
}): JSX.Element {
  const { bucket, folder, filter, withVersions } = props.listing.place;
  const typed = useSignal(filter);
  const count = props.listing.picked.value.size;
  const there = (changes: Readonly<Record<string, string>>): string =>
    link("b", [bucket], {
      prefix: folder,
      ...(filter && { filter }),
      ...(withVersions && { versions: "1" }),
      ...changes,
    });
  return (
    <div class="tools">
      <form
        class="inline-field"
        onSubmit={(event) => {
          event.preventDefault();
          go(there({ filter: typed.value }));
        }}
      >
        <Field
          label="Name begins with"
          type="search"
          value={typed.value}
          onInput={(value) => {
            typed.value = value;
          }}
        />
      </form>
      <Check
        label="Versions"
        checked={withVersions}
        onChange={(checked) => go(there({ versions: checked ? "1" : "" }))}
      />
      <span class="grow" />
      <Button onClick={() => props.onAct({ kind: "folder", folder })}>New folder</Button>
      <Button onClick={() => props.onAct({ kind: "drop-link", folder })}>Upload link</Button>
      <Button disabled={count === 0} onClick={props.onZip}>
        <Icon name="down" />
        {props.zipBytes > 0 ? `ZIP: ${bytesText(props.zipBytes)}` : "Download ZIP"}
      </Button>
      <Button
        kind="bad"
        disabled={count === 0}
        onClick={() =>
          props.onAct({ kind: "delete", items: [...props.listing.picked.value.values()] })
        }
      >
        Delete {count > 0 ? countText(count) : ""}
      </Button>
    </div>
  );
}

function useListing(bucket: string): { readonly listing: Listing; readonly reload: () => void } {
  const { query } = place.value;
  const turn = useSignal(0);
  const folder = query.get("prefix") ?? "";
  const filter = query.get("filter") ?? "";
  const withVersions = query.get("versions") === "1";
  const listing = useMemo(
    () => new Listing({ bucket, folder, filter, withVersions }),
    [bucket, folder, filter, withVersions, turn.value],
  );
  useEffect(() => {
    void listing.more();
  }, [listing]);
  const reload = (): void => {
    turn.value += 1;
  };
  useEffect(() => uploads.onFinished(bucket, reload), [bucket]);
  return { listing, reload };
}

function useZip(listing: Listing): {
  readonly bytes: number;
  readonly save: () => Promise<void>;
} {
  const bytes = useSignal(0);
  const { bucket, folder } = listing.place;
  const save = async (): Promise<void> => {
    const picked = [...listing.picked.value.values()];
    const onBytes = (sum: number): void => {
      bytes.value = sum;
    };
    try {
      await downloadZip({ bucket, folder, picked, onBytes });
    } finally {
      bytes.value = 0;
    }
  };
  return { bytes: bytes.value, save };
}

/** Files and folders may be dropped anywhere on it. */
function DropArea(props: {
  readonly bucket: string;
  readonly folder: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const isOver = useSignal(false);
  const drop = async (transfer: DataTransfer | null): Promise<void> => {
    uploads.add(props.bucket, props.folder, await filesOfDrop(transfer));
  };
  return (
    <section
      class={isOver.value ? "drop" : ""}
      aria-label="Objects"
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => {
        isOver.value = false;
      }}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        void attempt(() => drop(event.dataTransfer));
      }}
    >
      {props.children}
    </section>
  );
}

function List(props: {
  readonly listing: Listing;
  readonly onAct: (acting: Acting) => void;
}): JSX.Element {
  const { listing, onAct } = props;
  const { bucket, folder, withVersions } = listing.place;
  const open = (item: ListedObject): void => {
    if (item.isFolder) go(link("b", [bucket], { prefix: item.key }));
    else onAct({ kind: "open", item });
  };
  return (
    <VirtualList
      key={`${bucket} ${folder}`}
      label="Objects"
      className={withVersions ? "versions" : ""}
      items={listing.items.value}
      isMore={listing.isMore.value}
      onMore={() => void listing.more()}
      keyOf={idOf}
      isPicked={(item) => listing.isPicked(item)}
      onPick={(item) => listing.pick(item)}
      onOpen={open}
      head={<Head listing={listing} />}
      row={(item) => (
        <Row
          item={item}
          listing={listing}
          onOpen={() => open(item)}
          onActions={() => onAct({ kind: "actions", item })}
        />
      )}
    />
  );
}

export function Objects({ parts }: { readonly parts: readonly string[] }): JSX.Element {
  const bucket = parts[0] ?? "";
  const { listing, reload } = useListing(bucket);
  const acting = useSignal<Acting | undefined>(undefined);
  const archive = useZip(listing);
  const { folder, filter, withVersions } = listing.place;
  const act = (next: Acting | undefined): void => {
    acting.value = next;
  };
  return (
    <DropArea bucket={bucket} folder={folder}>
      <div class="head">
        <h1 class="hidden">{bucket}</h1>
        <div class="grow">
          <Crumbs bucket={bucket} folder={folder} />
        </div>
        <UploadButtons bucket={bucket} folder={folder} />
        <a class="button" href={link("settings", [bucket, "access"])}>
          Settings
        </a>
      </div>
      <Tools
        key={JSON.stringify([folder, filter, withVersions])}
        listing={listing}
        zipBytes={archive.bytes}
        onZip={archive.save}
        onAct={act}
      />
      <Failure text={listing.failure.value} />
      <List listing={listing} onAct={act} />
      <p class="list-foot" aria-live="polite">
        {countText(listing.items.value.length)} loaded
        {listing.isMore.value ? ", more below" : ""} · drop files or folders anywhere here
      </p>
      <Act bucket={bucket} folder={folder} acting={acting.value} onAct={act} onChanged={reload} />
    </DropArea>
  );
}
