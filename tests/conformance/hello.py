"""Rents one machine with yapapi, executes commands there, and pays. What it prints is checked."""
import asyncio
import os

from yapapi import Golem
from yapapi.events import InvoiceAccepted
from yapapi.payload import vm
from yapapi.services import Service


class Hello(Service):
    @staticmethod
    async def get_payload():
        return await vm.repo(image_tag='golem/alpine:latest', repository_url=os.environ['GOLEM_REGISTRY_URL'])

    async def start(self):
        async for script in super().start():
            yield script

    async def run(self):
        script = self._ctx.new_script()
        first = script.run('/bin/echo', 'hello from yapapi')
        second = script.run('/bin/sh', '-c', 'sleep 2; echo again')
        yield script
        print('output:', (await first).stdout.strip(), 'and', (await second).stdout.strip(), flush=True)


async def main():
    accepted = []
    async with Golem(budget=1.0, subnet_tag=os.environ['YAGNA_SUBNET'], payment_driver='erc20',
                     payment_network=os.environ['YAGNA_PAYMENT_NETWORK']) as golem:
        golem.add_event_consumer(accepted.append, [InvoiceAccepted])
        cluster = await golem.run_service(Hello, num_instances=1)
        for _ in range(600):
            await asyncio.sleep(0.1)
            if all(service.state.value == 'terminated' for service in cluster.instances):
                break
        print('state:', *(service.state.value for service in cluster.instances))
    print('invoices:', len(accepted))

asyncio.run(main())
