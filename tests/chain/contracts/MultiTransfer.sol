// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

import "./OnToken.sol";

/// Pays several payees in one transaction: directly from the caller, or through this contract with one sum.
contract MultiTransfer is OnToken {
    function golemTransferDirect(address[] calldata payees, uint256[] calldata amounts) external {
        require(payees.length == amounts.length, "as many payees as amounts");
        for (uint256 i = 0; i < payees.length; ++i) take(msg.sender, payees[i], amounts[i]);
    }

    function golemTransferIndirect(address[] calldata payees, uint256[] calldata amounts) external {
        require(payees.length == amounts.length, "as many payees as amounts");
        uint256 sum = 0;
        for (uint256 i = 0; i < amounts.length; ++i) sum += amounts[i];
        take(msg.sender, address(this), sum);
        for (uint256 i = 0; i < payees.length; ++i) give(payees[i], amounts[i]);
    }

    function golemTransferDirectPacked(bytes32[] calldata payments) external {
        for (uint256 i = 0; i < payments.length; ++i) {
            (address to, uint96 value) = unpack(payments[i]);
            take(msg.sender, to, value);
        }
    }

    function golemTransferIndirectPacked(bytes32[] calldata payments, uint256 total) external {
        take(msg.sender, address(this), total);
        uint256 sum = 0;
        for (uint256 i = 0; i < payments.length; ++i) {
            (address to, uint96 value) = unpack(payments[i]);
            sum += value;
            give(to, value);
        }
        require(sum == total, "the total is not the sum");
    }
}
