// The cluster's page with the plan before a drain, and the live figures and requests.
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { consoleTest, useConsole } from "./console-page.ts";

useConsole({}, 6);

consoleTest("nodes and disks with their states, and what a drain would move", async (visit) => {
  const { page, go, signIn, check } = visit;
  await signIn();
  await go("cluster");
  await page
    .getByRole("region", { name: "Health" })
    .getByText(/may fail|healthy|may be lost/)
    .waitFor();
  await page
    .getByRole("list", { name: "Disks of storage-1" })
    .getByRole("listitem")
    .nth(5)
    .waitFor();
  const ways = page.getByRole("region", { name: "Ways from gateways to campuses" });
  await ways.getByRole("cell", { name: /^[0-9.]+ ms$/ }).waitFor();
  await page.getByRole("progressbar", { name: "Checked in this pass" }).waitFor();
  await page.getByText(/checked to the end yet|every disk was checked since/).waitFor();
  await check("cluster");
  await page.getByRole("button", { name: "Drain storage-1" }).click();
  await page.getByRole("dialog").getByText("would move").waitFor();
  await check("drain");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Drain storage-1" }).waitFor();
});

consoleTest("figures of each second and requests as they end", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "traced" }));
  await signIn();
  await go("live");
  await page.getByText("15 minutes, at most").first().waitFor();
  const row = page.getByRole("row", { name: "traced/<b>seen</b>" });
  for (let attempt = 0; attempt < 30 && (await row.count()) === 0; attempt += 1) {
    await s3.send(new PutObjectCommand({ Bucket: "traced", Key: "<b>seen</b>", Body: "x" }));
    await row
      .first()
      .waitFor({ timeout: 2000 })
      .catch(() => undefined);
  }
  await row.first().waitFor();
  await check("live");
  await page.getByLabel("Operation, bucket, key or error").fill("nothing-like-this");
  await page.getByRole("button", { name: "Filter" }).click();
  await row.first().waitFor({ state: "detached" });
});
