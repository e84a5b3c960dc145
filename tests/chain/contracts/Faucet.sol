// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

import "./OnToken.sol";

/// Gives tokens to whoever calls; `yagna payment fund` does.
contract Faucet is OnToken {
    function create() external {
        GLM.mint(msg.sender, 1000 ether);
    }
}
