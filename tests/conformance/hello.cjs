// Rents one machine with golem-js, executes commands there, and pays. What it prints is checked.
const { GolemNetwork, MarketApi } = require("@golem-sdk/golem-js");
const { lastValueFrom, takeUntil, timer, toArray } = require("rxjs");

const quiet = () => {};
const logger = { child: () => logger, debug: quiet, info: quiet, warn: quiet, error: (...words) => console.error(...words) };

async function main() {
  const network = new GolemNetwork({ payment: { network: process.env.YAGNA_PAYMENT_NETWORK }, logger });
  try {
    await network.connect();
    const scan = network.market.scan({ workload: { engine: "vm" }, subnetTag: process.env.YAGNA_SUBNET });
    const offers = await lastValueFrom(scan.pipe(takeUntil(timer(1000)), toArray()));
    console.log("offers:", offers.length);
    const accepted = [];
    network.payment.events.on("invoiceAccepted", ({ invoice }) => accepted.push(invoice));
    const rental = await network.oneOf({
      order: {
        demand: { subnetTag: process.env.YAGNA_SUBNET, workload: { imageTag: "golem/alpine:latest" } },
        market: {
          rentHours: 0.25,
          pricing: { model: "linear", maxStartPrice: 1, maxCpuPerHourPrice: 5, maxEnvPerHourPrice: 5 },
        },
      },
    });
    const unit = await rental.getExeUnit();
    const result = await unit.run("echo hello from golem-js");
    console.log("output:", result.stdout.toString().trim());
    const failure = await unit.run("exit 3");
    console.log("failure:", failure.result, failure.message.split(".")[0]);
    // What comes before the stream is connected is lost, here as on the real network.
    const remote = await unit.runAndStream("sleep 1; for i in 1 2 3; do echo line $i; sleep 0.2; done");
    const lines = [];
    remote.stdout.subscribe((chunk) => lines.push(String(chunk)));
    await remote.waitForExit();
    console.log("streamed:", lines.join("").trim().split("\n").join(", "));
    await rental.stopAndFinalize();
    console.log("invoices:", accepted.length, accepted.every((invoice) => Number(invoice.amount) > 0));
  } finally {
    await network.disconnect();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
