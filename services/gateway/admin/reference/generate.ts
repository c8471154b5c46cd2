// Writes docs/admin-api.md from the table: node services/gateway/admin/reference/generate.ts
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN_OPERATIONS } from "../operations.ts";
import { withReference } from "./reference-operations.ts";
import { referencePage } from "./reference-page.ts";

const path = join(import.meta.dirname, "../../../../docs/admin-api.md");
writeFileSync(path, referencePage(withReference(ADMIN_OPERATIONS)));
