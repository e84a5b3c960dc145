// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IToken {
    function mint(address to, uint256 value) external;
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// What the contracts beside the token share. Storage slot 0 holds the token's address: who places the code writes it.
abstract contract OnToken {
    IToken public GLM;

    function take(address from, address to, uint256 value) internal {
        require(GLM.transferFrom(from, to, value), "transferFrom failed");
    }

    function give(address to, uint256 value) internal {
        require(GLM.transfer(to, value), "transfer failed");
    }

    /// A payment in one word: the payee in its upper 20 bytes, the amount in the lower 12.
    function unpack(bytes32 payment) internal pure returns (address to, uint96 value) {
        return (address(bytes20(payment)), uint96(uint256(payment)));
    }
}
