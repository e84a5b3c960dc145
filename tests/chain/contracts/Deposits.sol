// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

import "./OnToken.sol";

/// Money that a funder locks for a spender, who pays others with it until it is closed. What is left then goes back to the
/// funder; the flat fee is the spender's.
contract Deposits is OnToken {
    struct Deposit {
        address spender;
        uint64 validTo;
        uint128 amount;
        uint128 fee;
    }

    struct View {
        uint256 id;
        uint64 nonce;
        address funder;
        address spender;
        uint128 amount;
        uint64 validTo;
    }

    mapping(uint256 id => Deposit) public deposits;

    event DepositCreated(uint256 indexed id, address spender);
    event DepositTransfer(uint256 indexed id, address spender, address recipient, uint128 amount);
    event DepositClosed(uint256 indexed id, address spender);

    function idFromNonceAndFunder(uint64 nonce, address funder) public pure returns (uint256) {
        return uint256(uint160(funder)) << 96 | nonce;
    }

    function funderFromId(uint256 id) public pure returns (address) {
        return address(uint160(id >> 96));
    }

    function nonceFromId(uint256 id) public pure returns (uint64) {
        return uint64(id);
    }

    function getDeposit(uint256 id) external view returns (View memory) {
        Deposit storage deposit = deposits[id];
        return View(id, nonceFromId(id), funderFromId(id), deposit.spender, deposit.amount, deposit.validTo);
    }

    /// Tells clients which arguments validateDeposit takes besides what they know.
    function getValidateDepositSignature() external pure returns (string memory) {
        return '[{"type":"uint256","name":"id"},{"type":"uint128","name":"flatFeeAmount"}]';
    }

    function validateDeposit(uint256 id, uint128 flatFeeAmount) external view returns (string memory) {
        if (deposits[id].spender == address(0)) return "failed due to wrong deposit id";
        if (deposits[id].fee != flatFeeAmount) return "failed due to flatFeeAmount mismatch";
        return "valid";
    }

    function createDeposit(uint64 nonce, address spender, uint128 amount, uint128 flatFeeAmount, uint64 validToTimestamp) external returns (uint256 id) {
        id = idFromNonceAndFunder(nonce, msg.sender);
        require(spender != address(0) && amount > 0, "a deposit needs a spender and an amount");
        require(deposits[id].spender == address(0), "the nonce is taken");
        deposits[id] = Deposit(spender, validToTimestamp, amount, flatFeeAmount);
        take(msg.sender, address(this), uint256(amount) + flatFeeAmount);
        emit DepositCreated(id, spender);
    }

    function depositSingleTransfer(uint256 id, address to, uint128 amount) external {
        spend(id, to, amount);
    }

    function depositSingleTransferAndClose(uint256 id, address to, uint128 amount) external {
        spend(id, to, amount);
        close(id);
    }

    function depositTransfer(uint256 id, bytes32[] calldata payments) external {
        spendAll(id, payments);
    }

    function depositTransferAndClose(uint256 id, bytes32[] calldata payments) external {
        spendAll(id, payments);
        close(id);
    }

    function closeDeposit(uint256 id) external {
        close(id);
    }

    function spendAll(uint256 id, bytes32[] calldata payments) private {
        for (uint256 i = 0; i < payments.length; ++i) {
            (address to, uint96 value) = unpack(payments[i]);
            spend(id, to, value);
        }
    }

    function spend(uint256 id, address to, uint128 amount) private {
        Deposit storage deposit = deposits[id];
        require(deposit.spender == msg.sender, "only the spender spends");
        require(deposit.amount >= amount, "the deposit holds less");
        deposit.amount -= amount;
        give(to, amount);
        emit DepositTransfer(id, msg.sender, to, amount);
    }

    function close(uint256 id) private {
        Deposit storage deposit = deposits[id];
        require(deposit.spender == msg.sender, "only the spender closes");
        (uint128 rest, uint128 fee) = (deposit.amount, deposit.fee);
        (deposit.amount, deposit.fee) = (0, 0);
        if (rest > 0) give(funderFromId(id), rest);
        if (fee > 0) give(msg.sender, fee);
        emit DepositClosed(id, msg.sender);
    }
}
